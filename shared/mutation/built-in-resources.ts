/** How kube-apiserver stores one of its own resources. */
export interface BuiltInResource {
  /** API group; undefined where two groups share one key (`events`: core and events.k8s.io). */
  apiGroup: string | undefined;
  resource: string;
  namespaced: boolean;
}

/**
 * The resources that kube-apiserver 1.37 serves and stores itself, by the part of the key behind `/registry/`. Recorded from
 * its discovery with `--runtime-config=api/all=true`; the odd ones are `specialDefaultResourcePrefixes` in
 * pkg/kubeapiserver/default_storage_factory_builder.go. A resource that is missing here still works: its group is then unknown.
 */
export const builtInResources: ReadonlyMap<string, BuiltInResource> = new Map([
  ...stored('', {
    namespaced:
      'configmaps limitranges persistentvolumeclaims pods podtemplates resourcequotas secrets serviceaccounts',
    cluster: 'namespaces persistentvolumes',
  }),
  ...special('minions', '', 'nodes', false),
  ...special('services/specs', '', 'services', true),
  ...special('services/endpoints', '', 'endpoints', true),
  ...special('controllers', '', 'replicationcontrollers', true),
  ...special('ingress', 'networking.k8s.io', 'ingresses', true),
  ...special('events', undefined, 'events', true),
  ...special('apiregistration.k8s.io/apiservices', 'apiregistration.k8s.io', 'apiservices', false),
  ...special(
    'apiextensions.k8s.io/customresourcedefinitions',
    'apiextensions.k8s.io',
    'customresourcedefinitions',
    false,
  ),
  ...stored('admissionregistration.k8s.io', {
    cluster:
      'mutatingadmissionpolicies mutatingadmissionpolicybindings mutatingwebhookconfigurations ' +
      'validatingadmissionpolicies validatingadmissionpolicybindings validatingwebhookconfigurations',
  }),
  ...stored('apps', { namespaced: 'controllerrevisions daemonsets deployments replicasets statefulsets' }),
  ...stored('autoscaling', { namespaced: 'horizontalpodautoscalers' }),
  ...stored('batch', { namespaced: 'cronjobs jobs' }),
  ...stored('certificates.k8s.io', {
    namespaced: 'podcertificaterequests',
    cluster: 'certificatesigningrequests clustertrustbundles',
  }),
  ...stored('coordination.k8s.io', { namespaced: 'leases leasecandidates' }),
  ...stored('discovery.k8s.io', { namespaced: 'endpointslices' }),
  ...stored('flowcontrol.apiserver.k8s.io', { cluster: 'flowschemas prioritylevelconfigurations' }),
  ...stored('internal.apiserver.k8s.io', { cluster: 'storageversions' }),
  ...stored('networking.k8s.io', {
    namespaced: 'networkpolicies',
    cluster: 'ingressclasses ipaddresses servicecidrs',
  }),
  ...stored('node.k8s.io', { cluster: 'runtimeclasses' }),
  ...stored('policy', { namespaced: 'poddisruptionbudgets' }),
  ...stored('rbac.authorization.k8s.io', {
    namespaced: 'roles rolebindings',
    cluster: 'clusterroles clusterrolebindings',
  }),
  ...stored('resource.k8s.io', {
    namespaced: 'resourceclaims resourceclaimtemplates',
    cluster: 'deviceclasses devicetaintrules resourcepoolstatusrequests resourceslices',
  }),
  ...stored('scheduling.k8s.io', { cluster: 'priorityclasses' }),
  ...stored('storage.k8s.io', {
    namespaced: 'csistoragecapacities',
    cluster: 'csidrivers csinodes storageclasses volumeattachments volumeattributesclasses',
  }),
  ...stored('storagemigration.k8s.io', { cluster: 'storageversionmigrations' }),
]);

type Entry = readonly [prefix: string, resource: BuiltInResource];

/** Resources that are stored under their own name. */
function stored(apiGroup: string, names: { namespaced?: string; cluster?: string }): Entry[] {
  const words = (text = '') => text.split(' ').filter((word) => word !== '');
  return [
    ...words(names.namespaced).flatMap((resource) => special(resource, apiGroup, resource, true)),
    ...words(names.cluster).flatMap((resource) => special(resource, apiGroup, resource, false)),
  ];
}

/** One resource, stored under another name. */
function special(
  prefix: string,
  apiGroup: string | undefined,
  resource: string,
  namespaced: boolean,
): Entry[] {
  return [[prefix, { apiGroup, resource, namespaced }]];
}
