import type { Server } from 'node:https';
import type { NatsConnection } from 'nats';
import { connectBus } from '../../shared/bus.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { onShutdown } from '../../shared/lifecycle.ts';
import { createLogger, type Logger } from '../../shared/logger.ts';
import { createRegistry, serveMetrics } from '../../shared/metrics.ts';
import { mutationLists } from '../../shared/mutation/lists.ts';
import { nodePaths } from '../../shared/paths.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { serveStatus } from '../../shared/status-endpoint.ts';
import { subjects } from '../../shared/subjects.ts';
import { createApp } from './app.ts';
import { caBundle } from './certificates.ts';
import { KnownState } from './known-state.ts';
import { PriorityClassValues } from './kubernetes/priority-class-values.ts';
import { Reconciler, type ReconcilerOptions } from './kubernetes/reconciler.ts';
import { registerObject } from './kubernetes/registration.ts';
import { writeManifests } from './manifest.ts';
import { WebhookMetrics } from './metrics.ts';
import { close, serve } from './server.ts';
import { ServingCertificates } from './serving-certificates.ts';

/** How often in the life of a certificate it is looked at whether it is due. */
const looksInALife = 100;
/** At least so often, in milliseconds: a manifest that somebody deleted or broke is as it should be after this. */
const lookIntervalMs = 60_000;
/** Longest time for stopping, in milliseconds. */
const stopLimitMs = 3_000;

/**
 * Runs the admission webhook of a node until the process is asked to stop. Until the shim has told the node's state it lets
 * everything through.
 *
 * @returns when it answers reviews and its manifest is written
 * @throws UserError when the cluster key cannot be read
 * @throws Error with code EADDRINUSE when a port is taken
 */
export async function runWebhook(config: TwoNodeConfiguration, node: string): Promise<void> {
  const { ports } = nodePair(config, node).self;
  const paths = nodePaths(config, node);
  const logger = createLogger('webhook', config.logLevel, { node });
  const password = deriveSecret(readClusterKey(paths.clusterKey), 'services');
  const registry = createRegistry();
  const metrics = new WebhookMetrics(registry);
  const known = new KnownState(node);
  const state = () => known.fresh(performance.now());
  const lifetimeMs = config.webhook.certificateLifetime;
  const certificates = await ServingCertificates.open(paths.webhook, node, lifetimeMs, Date.now());
  const register = () => {
    if (config.kubernetes.registration === 'manifest') {
      writeManifests(paths.webhook, paths.admissionConfig, ports.webhook, caBundle(certificates.current));
    }
    metrics.certificateExpiry.set(certificates.current.leaf.notAfterMs / 1000);
  };
  register();
  const classes = new PriorityClassValues();
  const lists = mutationLists(config, node);
  const policy = { lists, classValue: classes.value };
  const app = createApp({ policy, metrics, state, now: Date.now, logger });
  const reconciler = await createReconciler(config, node, { lists, classes, state, certificates, logger });
  const server = await serve(app, ports.webhook, certificates.current.leaf, (code) =>
    logger.debug({ code }, 'a TLS handshake failed'),
  );
  const endpoint = await serveMetrics(ports.webhookMetrics, {
    registry,
    healthy: () => null,
    ready: () => (state() ? null : 'waits for the state of the node'),
  });
  let renewal: NodeJS.Timeout | undefined;
  // Keys take longer to make than a short life has between two looks: one look after the other.
  const lookLater = () => {
    renewal = setTimeout(
      () => void renew(certificates, server, register, logger).then(lookLater),
      Math.min(lifetimeMs / looksInALife, lookIntervalMs),
    );
  };
  lookLater();
  void reconciler?.run();
  let connection: NatsConnection | undefined;
  onShutdown(logger, stopLimitMs, async () => {
    clearTimeout(renewal);
    reconciler?.stop();
    endpoint.close();
    await Promise.all([close(server), connection?.close()]);
  });
  const url = `nats://127.0.0.1:${ports.nats}`;
  void connectBus({ url, name: 'webhook', user: 'twonode', password, logger }).then((bus) => {
    connection = bus;
    listen(bus, node, known, reconciler, logger);
    void serveStatus(bus, 'webhook', node, () => ({
      v: 1,
      node,
      state: state()?.state ?? null,
      certificate_expires: new Date(certificates.current.leaf.notAfterMs).toISOString(),
    }));
  });
  logger.info({ port: ports.webhook, admissionConfig: paths.admissionConfig }, 'answering admission reviews');
}

/** Null where the configuration names no kubeconfig. */
async function createReconciler(
  config: TwoNodeConfiguration,
  node: string,
  parts: Pick<ReconcilerOptions, 'lists' | 'classes' | 'state' | 'logger'> & {
    certificates: ServingCertificates;
  },
): Promise<Reconciler | null> {
  const { kubeconfig, registration } = config.kubernetes;
  if (kubeconfig === undefined) return null;
  const { certificates, ...options } = parts;
  const port = nodePair(config, node).self.ports.webhook;
  // Only where it is used, and before anything is answered: the client is large, and to read it blocks for a second.
  const { connectKubernetes } = await import('./kubernetes/api.ts');
  return new Reconciler({
    ...options,
    connect: () => connectKubernetes(kubeconfig.replaceAll('{node}', node)),
    register:
      registration === 'manifest'
        ? null
        : (api) =>
            registerObject(api, { node, port, bundle: caBundle(certificates.current), nowMs: Date.now() }),
  });
}

/** Follows the state of the own node. */
function listen(
  bus: NatsConnection,
  node: string,
  known: KnownState,
  reconciler: Reconciler | null,
  logger: Logger,
): void {
  bus.subscribe(subjects.state(node), {
    callback: (error, message) => {
      const fault = error?.message ?? known.learn(message.data, performance.now());
      if (fault !== null) return logger.warn({ fault }, 'a state message is not usable');
      const said = known.fresh(performance.now());
      if (said) reconciler?.learn(said);
    },
  });
}

/** A renewal that fails (a full disk) is tried again at the next look; a third of the life is left for it. */
async function renew(
  certificates: ServingCertificates,
  server: Server,
  register: () => void,
  logger: Logger,
): Promise<void> {
  try {
    const renewed = await certificates.renew(Date.now());
    register();
    if (!renewed) return;
    const { cert, key, notAfterMs } = certificates.current.leaf;
    server.setSecureContext({ cert, key });
    logger.info({ expires: new Date(notAfterMs).toISOString() }, 'certificate renewed');
  } catch (error) {
    logger.error({ err: error }, 'the certificate could not be renewed');
  }
}
