import { builtInResources } from '../../shared/mutation/built-in-resources.ts';

/** A resource, and all that kubectl takes as its name. */
export interface NamedResource {
  apiGroup: string;
  /** The plural. */
  resource: string;
  /** Singular, short names and kind, in lower case. */
  aliases: string[];
  namespaced: boolean;
}

/** What kube-apiserver's own resources are called for short (`kubectl api-resources`, 1.37). */
const shortNames: Record<string, string[]> = {
  certificatesigningrequests: ['csr'],
  configmaps: ['cm'],
  cronjobs: ['cj'],
  customresourcedefinitions: ['crd', 'crds'],
  daemonsets: ['ds'],
  deployments: ['deploy'],
  endpoints: ['ep'],
  events: ['ev'],
  horizontalpodautoscalers: ['hpa'],
  ingresses: ['ing'],
  ipaddresses: ['ip'],
  limitranges: ['limits'],
  namespaces: ['ns'],
  networkpolicies: ['netpol'],
  nodes: ['no'],
  persistentvolumeclaims: ['pvc'],
  persistentvolumes: ['pv'],
  poddisruptionbudgets: ['pdb'],
  pods: ['po'],
  priorityclasses: ['pc'],
  replicasets: ['rs'],
  replicationcontrollers: ['rc'],
  resourcequotas: ['quota'],
  serviceaccounts: ['sa'],
  services: ['svc'],
  statefulsets: ['sts'],
  storageclasses: ['sc'],
  volumeattributesclasses: ['vac'],
};

/** What kube-apiserver serves itself. The kind of each is its singular, in lower case. */
export const builtInNames: readonly NamedResource[] = [...builtInResources.values()].flatMap(
  ({ apiGroup, resource, namespaced }) =>
    // Events belong to two groups; kubectl writes those of the core.
    (apiGroup === undefined ? ['', 'events.k8s.io'] : [apiGroup]).map((group) => ({
      apiGroup: group,
      resource,
      aliases: [singularOf(resource), ...(shortNames[resource] ?? [])],
      namespaced,
    })),
);

function singularOf(plural: string): string {
  if (plural === 'endpoints') return plural;
  if (plural.endsWith('ies')) return `${plural.slice(0, -3)}y`;
  return plural.endsWith('sses') ? plural.slice(0, -2) : plural.slice(0, -1);
}

/** A name as it is typed for kubectl: `deployments`, `deploy.apps`, `Deployment.v1.apps`. */
export interface TypedName {
  name: string;
  /** Undefined when none was typed. */
  apiGroup: string | undefined;
}

export function parseName(typed: string): TypedName {
  const [name = '', ...rest] = typed.toLowerCase().split('.');
  if (rest.length === 0) return { name, apiGroup: undefined };
  const versioned = /^v\d+((alpha|beta)\d+)?$/.test(rest[0] ?? '');
  return { name, apiGroup: rest.slice(versioned ? 1 : 0).join('.') };
}

/** The first resource of that name, as kubectl takes the first too. */
export function findResource(
  resources: readonly NamedResource[],
  { name, apiGroup }: TypedName,
): NamedResource | undefined {
  return resources.find(
    (each) =>
      (each.resource === name || each.aliases.includes(name)) &&
      (apiGroup === undefined || each.apiGroup === apiGroup),
  );
}
