import { certificateSigningRequest, clusterTrustBundle, podCertificateRequest } from './certificate-kinds.ts';

/** An object of some kind, as far as it is looked at here. */
export interface AnyObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  [field: string]: unknown;
}

/** A smallest valid object of every kind that a person can create, all of the same name. */
export function everyKind(name: string): AnyObject[] {
  const labels = { app: name };
  const selector = { matchLabels: labels };
  const podSpec = { containers: [{ name: 'c', image: 'x' }] };
  const template = { metadata: { labels }, spec: podSpec };
  const jobTemplate = { metadata: { labels }, spec: { ...podSpec, restartPolicy: 'Never' } };
  const device = { requests: [{ name: 'r', exactly: { deviceClassName: 'd' } }] };
  const hook = {
    name: 'hook.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/' },
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    failurePolicy: 'Ignore',
    rules: [
      { apiGroups: ['example.com'], apiVersions: ['v1'], resources: ['nothing'], operations: ['CREATE'] },
    ],
  };
  const rules = [
    { apiGroups: ['example.com'], apiVersions: ['v1'], resources: ['nothing'], operations: ['CREATE'] },
  ];
  const validation = {
    matchConstraints: { resourceRules: rules },
    validations: [{ expression: 'true' }],
  };
  const mutation = {
    matchConstraints: { resourceRules: rules },
    reinvocationPolicy: 'Never',
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
  };
  const object = (apiVersion: string, kind: string, more: object = {}, as = name) => {
    return { apiVersion, kind, metadata: { name: as, labels }, ...more };
  };
  const octet = name.length;
  return [
    object('v1', 'ConfigMap'),
    object('v1', 'Secret'),
    object('v1', 'ServiceAccount'),
    object('v1', 'Service', { spec: { ports: [{ port: 80 }] } }),
    object('v1', 'Endpoints'),
    object('v1', 'Pod', { spec: podSpec }),
    object('v1', 'PodTemplate', { template }),
    object('v1', 'ReplicationController', { spec: { selector: labels, template } }),
    object('v1', 'ResourceQuota', { spec: { hard: { pods: '99' } } }),
    object('v1', 'LimitRange', { spec: { limits: [] } }),
    object('v1', 'Namespace'),
    object('v1', 'Node'),
    object('v1', 'Event', { involvedObject: { namespace: 'default' } }),
    object(
      'events.k8s.io/v1',
      'Event',
      {
        eventTime: '2026-01-02T12:00:00.000000Z',
        type: 'Normal',
        reason: 'Test',
        action: 'Test',
        reportingController: 'example.com/test',
        reportingInstance: 'x',
        regarding: { namespace: 'default' },
      },
      `${name}-new`,
    ),
    object('v1', 'PersistentVolume', {
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
    }),
    object('v1', 'PersistentVolumeClaim', {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    }),
    object('apps/v1', 'Deployment', { spec: { selector, template } }),
    object('apps/v1', 'DaemonSet', { spec: { selector, template } }),
    object('apps/v1', 'ReplicaSet', { spec: { selector, template } }),
    object('apps/v1', 'StatefulSet', { spec: { selector, template, serviceName: 'x' } }),
    object('apps/v1', 'ControllerRevision', { revision: 1, data: {} }),
    object('batch/v1', 'Job', { spec: { template: jobTemplate } }),
    object('batch/v1', 'CronJob', {
      spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: jobTemplate } } },
    }),
    object('autoscaling/v2', 'HorizontalPodAutoscaler', {
      spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name } },
    }),
    object('networking.k8s.io/v1', 'Ingress', {
      spec: { defaultBackend: { service: { name, port: { number: 80 } } } },
    }),
    object('networking.k8s.io/v1', 'IngressClass', { spec: { controller: 'example.com/x' } }),
    object('networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {} } }),
    object('networking.k8s.io/v1', 'ServiceCIDR', { spec: { cidrs: [`10.99.${octet}.0/24`] } }),
    object(
      'networking.k8s.io/v1',
      'IPAddress',
      { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'gone' } } },
      `10.98.0.${octet}`,
    ),
    object('policy/v1', 'PodDisruptionBudget', {
      spec: { minAvailable: 0, selector: { matchLabels: { no: 'pod' } } },
    }),
    object('rbac.authorization.k8s.io/v1', 'Role', { rules: [] }),
    object('rbac.authorization.k8s.io/v1', 'ClusterRole', { rules: [] }),
    object('rbac.authorization.k8s.io/v1', 'RoleBinding', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    }),
    object('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', {
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    }),
    object('scheduling.k8s.io/v1', 'PriorityClass', { value: 5 }),
    object('storage.k8s.io/v1', 'StorageClass', { provisioner: 'example.com/x' }),
    object('storage.k8s.io/v1', 'CSIDriver', { spec: {} }),
    object('storage.k8s.io/v1', 'CSINode', { spec: { drivers: [] } }),
    object('storage.k8s.io/v1', 'CSIStorageCapacity', { storageClassName: 'x' }),
    object('storage.k8s.io/v1', 'VolumeAttachment', {
      spec: { attacher: 'example.com', nodeName: 'x', source: { persistentVolumeName: 'x' } },
    }),
    object('storage.k8s.io/v1', 'VolumeAttributesClass', {
      driverName: 'example.com',
      parameters: { a: 'b' },
    }),
    object('node.k8s.io/v1', 'RuntimeClass', { handler: 'x' }),
    object('coordination.k8s.io/v1', 'Lease', { spec: {} }),
    object('discovery.k8s.io/v1', 'EndpointSlice', { addressType: 'IPv4', endpoints: [] }),
    object('flowcontrol.apiserver.k8s.io/v1', 'PriorityLevelConfiguration', {
      spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } },
    }),
    object('flowcontrol.apiserver.k8s.io/v1', 'FlowSchema', {
      spec: { priorityLevelConfiguration: { name: 'global-default' }, matchingPrecedence: 9_999 },
    }),
    object('resource.k8s.io/v1', 'DeviceClass', { spec: {} }),
    object('resource.k8s.io/v1', 'ResourceClaim', { spec: { devices: device } }),
    object('resource.k8s.io/v1', 'ResourceClaimTemplate', { spec: { spec: { devices: device } } }),
    object('resource.k8s.io/v1', 'DeviceTaintRule', {
      spec: { deviceSelector: { driver: 'example.com' }, taint: { key: 'a', effect: 'NoSchedule' } },
    }),
    object('storagemigration.k8s.io/v1', 'StorageVersionMigration', {
      spec: { resource: { group: '', resource: 'secrets' } },
    }),
    certificateSigningRequest(name),
    clusterTrustBundle(name),
    podCertificateRequest(name),
    object('resource.k8s.io/v1', 'ResourceSlice', {
      spec: {
        driver: 'example.com',
        nodeName: 'x',
        pool: { name: 'x', generation: 1, resourceSliceCount: 1 },
      },
    }),
    object(
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      {
        spec: {
          group: 'example.com',
          scope: 'Namespaced',
          names: { plural: `${name}s`, kind: `K${name}` },
          versions: [
            { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
          ],
        },
      },
      `${name}s.example.com`,
    ),
    object(
      'apiregistration.k8s.io/v1',
      'APIService',
      { spec: { group: `${name}.example.org`, version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 } },
      `v1.${name}.example.org`,
    ),
    object('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', { webhooks: [hook] }),
    object('admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', { webhooks: [hook] }),
    object('admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy', { spec: validation }),
    object('admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicyBinding', {
      spec: { policyName: name, validationActions: ['Audit'] },
    }),
    object('admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicy', { spec: mutation }),
    object('admissionregistration.k8s.io/v1', 'MutatingAdmissionPolicyBinding', {
      spec: { policyName: name },
    }),
  ];
}
