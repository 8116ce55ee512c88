import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { writeDurably } from '../../shared/durable-file.ts';
import { controlPlaneGroups, controlPlaneUsers } from '../../shared/mutation/default-lists.ts';
import { validatePath } from './app.ts';

/** As kubectl prints it: `admission webhook "state.twonode.dev" denied the request`. */
export const webhookName = 'state.twonode.dev';

/** kube-apiserver takes manifests from a folder only with this ending: no object of the API can have it. */
export const manifestName = 'twonode.static.k8s.io';

/**
 * Conditions in CEL; the webhook is called when all are true. They keep the control plane's own traffic from the webhook,
 * which is there for people. Nobody is passed over by the prefix `system:` or for being in system:masters: k3s' admin,
 * `system:admin`, is both. Whom they pass over is judged by the shim all the same.
 */
export const matchConditions = [
  { name: 'not-control-plane', expression: `!(request.userInfo.username in ${cel(controlPlaneUsers)})` },
  {
    name: 'not-nodes-and-system-controllers',
    expression: `!has(request.userInfo.groups) || !request.userInfo.groups.exists(g, g in ${cel(controlPlaneGroups)})`,
  },
  {
    // Leader election and events of operators in other namespaces: frequent, and read by no person.
    name: 'not-leases-and-events-of-service-accounts',
    expression:
      "!(request.userInfo.username.startsWith('system:serviceaccount:') && " +
      "(request.resource.resource == 'events' || " +
      "(request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases')))",
  },
];

function cel(texts: string[]): string {
  return `[${texts.map((text) => `'${text}'`).join(', ')}]`;
}

/** The webhook as a ValidatingWebhookConfiguration. @param bundle CA certificates in PEM */
export function webhookConfiguration(name: string, port: number, bundle: string): object {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: webhookName,
        clientConfig: {
          // The state is one node's, so the webhook is too: a Service could lead to the other node's.
          url: `https://127.0.0.1:${port}${validatePath}`,
          caBundle: Buffer.from(`${bundle}\n`).toString('base64'),
        },
        rules: [
          {
            apiGroups: ['*'],
            apiVersions: ['*'],
            resources: ['*/*'],
            operations: ['CREATE', 'UPDATE', 'DELETE'],
          },
        ],
        // The datastore enforces; a webhook that is down must not stop the cluster.
        failurePolicy: 'Ignore',
        timeoutSeconds: 1,
        sideEffects: 'None',
        matchPolicy: 'Equivalent',
        admissionReviewVersions: ['v1'],
        matchConditions,
      },
    ],
  };
}

/** What `--admission-control-config-file` wants: it names the folder with the manifests. */
function admissionConfiguration(manifestsDir: string): object {
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: [
      {
        name: 'ValidatingAdmissionWebhook',
        configuration: {
          apiVersion: 'apiserver.config.k8s.io/v1',
          kind: 'WebhookAdmissionConfiguration',
          staticManifestsDir: manifestsDir,
        },
      },
    ],
  };
}

/**
 * Registers the webhook with the kube-apiserver of its own node (1.37 and later), in files beside the datastore: nothing can
 * refuse, delete or outdate them. kube-apiserver reads the manifest again when it changes.
 */
export function writeManifests(folder: string, admissionConfig: string, port: number, bundle: string): void {
  const manifestsDir = resolve(folder, 'manifests');
  mkdirSync(manifestsDir, { recursive: true, mode: 0o700 });
  writeIfChanged(
    join(manifestsDir, 'twonode.yaml'),
    stringify(webhookConfiguration(manifestName, port, bundle)),
  );
  writeIfChanged(admissionConfig, stringify(admissionConfiguration(manifestsDir)));
}

/** kube-apiserver need not read again what is the same. */
function writeIfChanged(file: string, content: string): void {
  if (contentOf(file) !== content) writeDurably(file, content);
}

function contentOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
