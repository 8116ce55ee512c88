import { builtInResources } from './built-in-resources.ts';

/**
 * The group that rules use for keys which are no objects of the Kubernetes API:
 *
 * - `masterleases`, `peerserverleases`, `ranges`: what kube-apiservers keep for themselves
 * - `compact_rev_key`: the apiservers' agreement on compaction
 * - `bootstrap`: k3s' certificates, sealed with its token
 * - `leasecalls`: not a key but LeaseGrant, LeaseKeepAlive and LeaseRevoke
 * - `keys`: any other key; the name is the key
 */
export const datastoreGroup = 'datastore.twonode.dev';

/** The object that a key holds. */
export interface KeyedObject {
  /** Undefined when the key does not tell: `events` belong to two groups, and a newer apiserver may have new resources. */
  apiGroup: string | undefined;
  resource: string;
  /** Empty for cluster-scoped objects. */
  namespace: string;
  /** Empty in a key that is only the prefix of a list. */
  name: string;
}

const registry = '/registry/';
const ownOfApiservers = new Set(['masterleases', 'peerserverleases', 'ranges']);

/**
 * Reads a key of the datastore. Every key has an answer: what is no Kubernetes object is in {@link datastoreGroup}.
 *
 * Built-in resources are stored as `/registry/<resource>/[<namespace>/]<name>`, those of a CRD, whose group always has a dot,
 * as `/registry/<group>/<resource>/[<namespace>/]<name>`. An aggregated server has a prefix of its own before group and
 * resource, such as `/registry/wardle.kubernetes.io`; neither resources nor namespaces have dots, which tells it apart.
 */
export function parseKey(key: string): KeyedObject {
  if (key === 'compact_rev_key') return datastoreKey('compact_rev_key', '');
  if (key.startsWith('/bootstrap/')) return datastoreKey('bootstrap', key.slice('/bootstrap/'.length));
  if (!key.startsWith(registry)) return datastoreKey('keys', key);
  const parts = key.slice(registry.length).split('/');
  const [first = '', second, ...rest] = parts;
  if (second === undefined) return datastoreKey('keys', key);
  if (ownOfApiservers.has(first)) return datastoreKey(first, parts.slice(1).join('/'));
  const oneWord = builtInResources.get(first);
  if (oneWord) return located(oneWord, parts.slice(1));
  const twoWords = builtInResources.get(`${first}/${second}`);
  if (twoWords) return located(twoWords, rest);
  const [third, ...further] = rest;
  if (second.includes('.') && third !== undefined)
    return located({ apiGroup: second, resource: third }, further);
  if (first.includes('.')) return located({ apiGroup: first, resource: second }, rest);
  return located({ apiGroup: undefined, resource: first }, parts.slice(1));
}

/** Places what follows the resource in a key. Without knowing the scope, two words are a namespace and a name. */
function located(
  {
    apiGroup,
    resource,
    namespaced,
  }: { apiGroup: string | undefined; resource: string; namespaced?: boolean },
  words: string[],
): KeyedObject {
  const [first = '', ...rest] = words;
  if (namespaced ?? rest.length > 0) return { apiGroup, resource, namespace: first, name: rest.join('/') };
  return { apiGroup, resource, namespace: '', name: words.join('/') };
}

function datastoreKey(resource: string, name: string): KeyedObject {
  return { apiGroup: datastoreGroup, resource, namespace: '', name };
}

const prefixes = new Map<string, string>();
for (const [prefix, { apiGroup, resource }] of builtInResources) {
  for (const group of apiGroup === undefined ? ['', 'events.k8s.io'] : [apiGroup]) {
    prefixes.set(`${group}/${resource}`, prefix);
  }
}

/** The key under which kube-apiserver stores an object: the reverse of {@link parseKey}. An aggregated server's prefix is not known. */
export function registryKey({ apiGroup = '', resource, namespace, name }: KeyedObject): string {
  const words = (prefix: string) => [prefix, namespace, name].filter((word) => word !== '').join('/');
  if (apiGroup !== datastoreGroup) {
    const prefix =
      prefixes.get(`${apiGroup}/${resource}`) ?? (apiGroup === '' ? '' : `${apiGroup}/`) + resource;
    return registry + words(prefix);
  }
  switch (resource) {
    case 'compact_rev_key':
      return resource;
    case 'bootstrap':
      return `/bootstrap/${name}`;
    case 'keys':
      return name;
    default:
      return registry + words(resource);
  }
}
