import type { MutationRule } from '../config/schema.ts';
import { datastoreGroup } from './registry-key.ts';

/** Rules that belong together, with the reason why they are built in. */
export interface RuleSet {
  name: string;
  /** What breaks when these writes are refused. */
  why: string;
  /** Left out when the configuration has a rule that judges pods by priority. */
  givesWayToPriority?: true;
  rules: MutationRule[];
}

const rbacGroup = 'rbac.authorization.k8s.io';
const flowGroup = 'flowcontrol.apiserver.k8s.io';

/** The users of the control plane. Never anyone by the prefix `system:`: k3s' admin is `system:admin`. */
export const controlPlaneUsers = [
  'system:apiserver',
  'system:kube-controller-manager',
  'system:kube-scheduler',
  'system:cloud-controller-manager',
  'system:k3s-controller',
  'k3s-cloud-controller-manager',
];
/** The groups of the control plane. Never system:masters: k3s' admin is in it. */
export const controlPlaneGroups = ['system:nodes', 'system:serviceaccounts:kube-system'];

/** What runs the cluster, not a person. */
const controllers = { users: controlPlaneUsers, groups: controlPlaneGroups };
const apiserver = { users: ['system:apiserver'] };
/** The k3s supervisor. It is in system:masters, so it is known by its name alone. */
const k3s = { users: ['system:k3s-supervisor', 'system:k3s-controller'] };

/** What stands in the list of LeaderRX: the node carries the cluster alone, and what runs must go on running. */
export function approvedDefaults(self: string, peer: string): RuleSet[] {
  return [
    leases(),
    apiserverOwnKeys(),
    apiserverStart(),
    k3sOwnWrites([self, peer]),
    webhookConfigurations(),
    {
      name: 'events',
      why: 'without events nobody sees what happens; they are dropped at reconvergence',
      rules: [{ apiGroups: ['', 'events.k8s.io'], resources: ['events'] }],
    },
    {
      name: 'nodes',
      why: 'heartbeats, taints of a dead node, cordon and drain; joining again after a repair',
      rules: [
        { apiGroups: [''], resources: ['nodes', 'nodes/status'] },
        { apiGroups: ['storage.k8s.io'], resources: ['csinodes', 'csinodes/status'] },
        {
          apiGroups: ['certificates.k8s.io'],
          resources: ['certificatesigningrequests', 'certificatesigningrequests/*'],
        },
      ],
    },
    {
      name: 'volume attachments',
      why: 'a pod that moves here needs its volume attached',
      rules: [
        {
          apiGroups: ['storage.k8s.io'],
          resources: ['volumeattachments', 'volumeattachments/status'],
          ...controllers,
        },
      ],
    },
    {
      name: 'pod creation by controllers',
      why: 'replica sets and daemon sets replace the pods that the other node took with it',
      givesWayToPriority: true,
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['create'], ...controllers }],
    },
    {
      name: 'running pods',
      why: 'the scheduler binds and preempts, the kubelet reports, the garbage collector deletes',
      rules: [
        {
          apiGroups: [''],
          resources: ['pods', 'pods/status', 'pods/binding', 'pods/eviction'],
          verbs: ['update', 'delete'],
          ...controllers,
        },
        // A binding and an eviction are created, though they change a pod.
        {
          apiGroups: [''],
          resources: ['pods/binding', 'pods/eviction'],
          verbs: ['create'],
          ...controllers,
        },
      ],
    },
    {
      name: 'endpoints',
      why: 'else traffic goes to pods that are dead',
      rules: [
        { apiGroups: [''], resources: ['endpoints'], ...controllers },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], ...controllers },
      ],
    },
    {
      name: 'status of workloads',
      why: 'controllers count what is missing from the status that they wrote',
      rules: [
        {
          apiGroups: ['apps'],
          resources: [
            'deployments/status',
            'replicasets/status',
            'statefulsets/status',
            'daemonsets/status',
            'controllerrevisions',
          ],
          ...controllers,
        },
        { apiGroups: ['batch'], resources: ['jobs/status', 'cronjobs/status'], ...controllers },
        {
          apiGroups: [''],
          resources: ['replicationcontrollers/status', 'resourcequotas/status'],
          ...controllers,
        },
        { apiGroups: ['policy'], resources: ['poddisruptionbudgets/status'], ...controllers },
        { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers/status'], ...controllers },
      ],
    },
  ];
}

/** What stands in the list of Impaired: only what keeps the node's own processes from exiting. */
export function impairedDefaults(self: string): RuleSet[] {
  return [
    leases(self),
    apiserverOwnKeys(),
    apiserverStart(),
    k3sOwnWrites([self]),
    webhookConfigurations(),
    {
      name: 'own node',
      why: "the kubelet's registration and heartbeat; it exits when it cannot write its CSINode",
      rules: [
        {
          apiGroups: [''],
          resources: ['nodes', 'nodes/status'],
          names: [self],
          verbs: ['create', 'update'],
        },
        {
          apiGroups: ['storage.k8s.io'],
          resources: ['csinodes', 'csinodes/status'],
          names: [self],
          verbs: ['create', 'update'],
        },
      ],
    },
  ];
}

/** The names of all built-in sets. */
export function builtInSetNames(): string[] {
  return [...new Set([...approvedDefaults('', ''), ...impairedDefaults('')].map(({ name }) => name))];
}

/** @param kubelet only this kubelet's lease; absent: those of both nodes */
function leases(kubelet?: string): RuleSet {
  const lease = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  return {
    name: 'leases',
    why:
      'controller-manager, scheduler and k3s exit 10 to 30 s after their lease cannot be renewed; ' +
      'a kubelet without its lease is NotReady after 40 s and its pods are evicted after 300 s',
    rules: [
      { ...lease, namespaces: ['kube-system'] },
      { ...lease, namespaces: ['kube-node-lease'], ...(kubelet === undefined ? {} : { names: [kubelet] }) },
      { apiGroups: [datastoreGroup], resources: ['leasecalls'] },
    ],
  };
}

function apiserverOwnKeys(): RuleSet {
  return {
    name: 'apiserver keys',
    why:
      'without its masterlease an apiserver drops out of the endpoints of service kubernetes; each writes only its own, ' +
      'and only to the shim of its node. compact_rev_key: the store would grow without end',
    rules: [
      {
        apiGroups: [datastoreGroup],
        resources: ['masterleases', 'peerserverleases', 'compact_rev_key'],
      },
    ],
  };
}

/** Recorded from kube-apiserver 1.37.2: what its PostStartHooks and startup controllers write. */
function apiserverStart(): RuleSet {
  return {
    name: 'apiserver start',
    why: 'a PostStartHook that cannot write ends the apiserver: a first start, or the first after an upgrade',
    rules: [
      {
        apiGroups: [''],
        resources: ['namespaces'],
        names: ['default', 'kube-system', 'kube-public', 'kube-node-lease'],
        verbs: ['create'],
        ...apiserver,
      },
      {
        apiGroups: [rbacGroup],
        resources: ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'],
        verbs: ['create', 'update'],
        ...apiserver,
      },
      {
        apiGroups: [flowGroup],
        resources: [
          'flowschemas',
          'flowschemas/status',
          'prioritylevelconfigurations',
          'prioritylevelconfigurations/status',
        ],
        ...apiserver,
      },
      {
        apiGroups: ['scheduling.k8s.io'],
        resources: ['priorityclasses'],
        names: ['system-node-critical', 'system-cluster-critical'],
        verbs: ['create', 'update'],
        ...apiserver,
      },
      {
        apiGroups: ['apiregistration.k8s.io'],
        resources: ['apiservices', 'apiservices/status'],
        ...apiserver,
      },
      {
        apiGroups: ['networking.k8s.io'],
        resources: ['servicecidrs', 'servicecidrs/status', 'ipaddresses'],
        ...apiserver,
      },
      { apiGroups: [datastoreGroup], resources: ['ranges'] },
      {
        apiGroups: [''],
        resources: ['configmaps'],
        namespaces: ['kube-system'],
        names: ['extension-apiserver-authentication', 'kube-apiserver-legacy-service-account-token-tracking'],
        verbs: ['create', 'update'],
        ...apiserver,
      },
      // The service `kubernetes` and where it leads.
      {
        apiGroups: ['', 'discovery.k8s.io'],
        resources: ['services', 'endpoints', 'endpointslices'],
        namespaces: ['default'],
        names: ['kubernetes'],
        verbs: ['create', 'update'],
        ...apiserver,
      },
    ],
  };
}

function k3sOwnWrites(nodes: string[]): RuleSet {
  return {
    name: 'k3s',
    why: 'k3s keeps its certificates and the passwords of its nodes in the datastore, and does not start without',
    rules: [
      { apiGroups: [datastoreGroup], resources: ['bootstrap'] },
      {
        apiGroups: [''],
        resources: ['secrets'],
        namespaces: ['kube-system'],
        names: ['k3s-serving', ...nodes.map((node) => `${node}.node-password.k3s`)],
        ...k3s,
      },
    ],
  };
}

function webhookConfigurations(): RuleSet {
  return {
    name: 'webhook configurations',
    why: 'a broken webhook that refuses everything can only be taken away by changing its configuration',
    rules: [
      {
        apiGroups: ['admissionregistration.k8s.io'],
        resources: ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
      },
    ],
  };
}
