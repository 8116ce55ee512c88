import { z } from 'zod';
import type { KubeClient } from '../faults/kube-client.ts';

/** A resource of the API in its preferred version, as the running kube-apiserver says in its discovery. */
export interface ServedResource {
  group: string;
  version: string;
  resource: string;
  kind: string;
  singular: string;
  shortNames: string[];
  namespaced: boolean;
  verbs: string[];
  subresources: { name: string; verbs: string[] }[];
}

const verbs = z.array(z.string()).default([]);
const discoverySchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string().default('') }),
      versions: z.array(
        z.object({
          version: z.string(),
          resources: z.array(
            z.object({
              resource: z.string(),
              responseKind: z.object({ kind: z.string() }).nullish(),
              scope: z.string(),
              singularResource: z.string(),
              shortNames: z.array(z.string()).default([]),
              verbs,
              subresources: z.array(z.object({ subresource: z.string(), verbs })).default([]),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** All that a kube-apiserver serves; where a group has several versions, each resource once. */
export async function servedResources(client: KubeClient): Promise<ServedResource[]> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const found = new Map<string, ServedResource>();
  for (const path of ['/api', '/apis']) {
    const { body } = await client.call('GET', path, undefined, undefined, accept);
    for (const { metadata, versions } of discoverySchema.parse(body).items) {
      for (const { version, resources } of versions) {
        for (const { resource, responseKind, scope, singularResource, subresources, ...rest } of resources) {
          const key = `${metadata.name}/${resource}`;
          if (found.has(key)) continue;
          found.set(key, {
            ...rest,
            group: metadata.name,
            version,
            resource,
            kind: responseKind?.kind ?? '',
            singular: singularResource,
            namespaced: scope === 'Namespaced',
            subresources: subresources.map(({ subresource, verbs }) => ({ name: subresource, verbs })),
          });
        }
      }
    }
  }
  return [...found.values()];
}

/** `deployments.apps`, as kubectl and the sentences of a refusal write it. */
export function qualifiedName({ group, resource }: Pick<ServedResource, 'group' | 'resource'>): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** The path of the objects of a resource, in the namespace `default` where it has one. */
export function collectionPath({ group, version, resource, namespaced }: ServedResource): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}/${namespaced ? 'namespaces/default/' : ''}${resource}`;
}
