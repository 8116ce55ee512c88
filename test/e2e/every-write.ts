import type { KubeAnswer, KubeClient } from '../faults/kube-client.ts';
import type { AnyObject } from './every-kind.ts';
import { collectionPath, qualifiedName, type ServedResource } from './served-resources.ts';

/** What became of one write. */
export interface Outcome {
  resource: string;
  /** A verb, and a subresource behind a slash: `patch/status`. */
  write: string;
  /** `no`: the webhook's sentence. `SHIM`: the shim's. A number: the status of an answer that is neither. */
  result: string;
}

const annotation = { metadata: { annotations: { a: 'b' } } };
const mergePatch = 'application/merge-patch+json';

/** Bodies of the subresources that can only be created. */
const bodies: Record<string, (name: string) => object> = {
  binding: (name) => ({
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name },
    target: { apiVersion: 'v1', kind: 'Node', name },
  }),
  eviction: (name) => ({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } }),
  token: () => ({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }),
};

/**
 * Tries every verb on every resource and subresource: creates objects, changes the existing ones, and deletes at last.
 * @param existing objects which are there; the `fresh` ones are not, and are of the same kinds in the same order
 * @param state in which the node is
 */
export async function everyWrite(
  client: KubeClient,
  served: ServedResource[],
  { existing, fresh }: { existing: AnyObject[]; fresh: AnyObject[] },
  state: string,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const record = (type: ServedResource, write: string, answer: KubeAnswer) =>
    outcomes.push({ resource: qualifiedName(type), write, result: resultOf(answer, state) });

  for (const object of fresh) {
    const type = typeOf(served, object);
    record(type, 'create', await client.call('POST', collectionPath(type), object));
  }
  for (const { type, name } of existing.map((object) => named(served, object))) {
    const path = `${collectionPath(type)}/${name}`;
    record(type, 'patch', await client.call('PATCH', path, annotation, mergePatch));
    record(type, 'update', await client.call('PUT', path, await changed(client, path)));
    for (const { name: subresource, verbs } of type.subresources) {
      const below = `${path}/${subresource}`;
      const body = bodies[subresource];
      // What goes through to a pod or a node is no write.
      if (subresource === 'proxy') continue;
      if (verbs.includes('patch')) {
        record(type, `patch/${subresource}`, await client.call('PATCH', below, annotation, mergePatch));
      } else if (verbs.includes('update')) {
        record(type, `update/${subresource}`, await client.call('PUT', below, await changed(client, path)));
      } else if (body) {
        record(type, `create/${subresource}`, await client.call('POST', below, body(name)));
      }
    }
  }
  for (const [index, object] of existing.entries()) {
    const { type, name } = named(served, object);
    const path = collectionPath(type);
    record(type, 'delete', await client.call('DELETE', `${path}/${name}`));
    if (!type.verbs.includes('deletecollection')) continue;
    // A collection in which nothing is left would not be refused.
    const left = outcomes.at(-1)?.result === 'yes' ? fresh[index]?.metadata.name : name;
    record(
      type,
      'deletecollection',
      await client.call('DELETE', `${path}?fieldSelector=metadata.name=${left}`),
    );
  }
  return outcomes;
}

function named(served: ServedResource[], object: AnyObject): { type: ServedResource; name: string } {
  return { type: typeOf(served, object), name: object.metadata.name };
}

function typeOf(served: ServedResource[], { apiVersion, kind }: AnyObject): ServedResource {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  const type = served.find((each) => each.group === group && each.kind === kind);
  if (!type) throw new Error(`${apiVersion} ${kind} is not served`);
  return type;
}

async function changed(client: KubeClient, path: string): Promise<object> {
  const object = (await client.call('GET', path)).body as { metadata: object };
  return { ...object, metadata: { ...object.metadata, annotations: { c: 'd' } } };
}

function resultOf({ status, body }: KubeAnswer, state: string): string {
  const message = String((body as { message?: unknown } | null)?.message ?? '');
  if (message.includes('desc = twonode')) return 'SHIM';
  if (message.includes(`denied the request: ${state}: `)) return 'no';
  return status < 300 ? 'yes' : String(status);
}
