import { type RequestOptions, request } from 'node:https';
import { z } from 'zod';
import type { NamedResource } from './resource-names.ts';

const limitMs = 3_000;
/** All groups in one answer (KEP-3352), since Kubernetes 1.30. */
const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

const resourceSchema = z.object({
  resource: z.string(),
  responseKind: z.object({ kind: z.string() }).nullish(),
  scope: z.string(),
  singularResource: z.string().default(''),
  shortNames: z.array(z.string()).default([]),
});
const groupsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      versions: z.array(z.object({ resources: z.array(resourceSchema).default([]) })).default([]),
    }),
  ),
});

/**
 * Asks a kube-apiserver which resources its API groups have; CRDs and aggregated ones are among them.
 * @param kubeconfig file
 * @throws Error when there is no kubeconfig, or no answer in 3 s
 */
export async function discoverResources(kubeconfig: string): Promise<NamedResource[]> {
  // Only where it is needed: the client is large.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const options: RequestOptions = { headers: { accept }, timeout: limitMs };
  await config.applyToHTTPSOptions(options);
  const server = config.getCurrentCluster()?.server ?? '';
  return namesIn(JSON.parse(await get(new URL('/apis', server), options)));
}

/** Reads an APIGroupDiscoveryList. @throws ZodError */
export function namesIn(discovery: unknown): NamedResource[] {
  return groupsSchema.parse(discovery).items.flatMap(({ metadata, versions }) =>
    versions
      .flatMap(({ resources }) => resources)
      .map(({ resource, responseKind, scope, singularResource, shortNames }) => ({
        apiGroup: metadata.name,
        resource,
        aliases: [singularResource, responseKind?.kind ?? '', ...shortNames]
          .filter((name) => name !== '')
          .map((name) => name.toLowerCase()),
        namespaced: scope === 'Namespaced',
      })),
  );
}

function get(url: URL, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, options, async (response) => {
      let body = '';
      for await (const chunk of response.setEncoding('utf8')) body += chunk;
      if (response.statusCode === 200) resolve(body);
      else reject(new Error(`${url} answers ${response.statusCode}`));
    });
    asked.once('timeout', () => asked.destroy(new Error(`${url} does not answer`)));
    asked.once('error', reject);
    asked.end();
  });
}
