import { z } from 'zod';
import { builtInSetNames } from '../mutation/default-lists.ts';
import { roles } from '../node.ts';
import { duration } from './duration.ts';
import { probesSchema } from './probes.ts';

/**
 * The one configuration file, `twonode.yaml`, the same on both nodes. Every field has a default or is required, a unit in
 * its sentence, and unknown fields are errors. The JSON Schema for editors is made from this.
 */

const port = z.int().min(1).max(65535);

const ipAddress = z.union([z.ipv4(), z.ipv6()], 'expected an IPv4 or IPv6 address');

const portsSchema = z.strictObject({
  etcd: port.default(2379).describe('etcd v3 gRPC of the shim, on 127.0.0.1'),
  nats: port.default(4222).describe('client port of the nats-server, on 127.0.0.1'),
  monitoring: port.default(8222).describe('HTTP monitoring of the nats-server, on 127.0.0.1'),
  leaf: port.default(7422).describe('leaf link: the leader listens, the follower dials'),
  beat: port.default(7423).describe('UDP beats between the probers'),
  api: port.default(6443).describe('kube-apiserver, HTTPS'),
  webhook: port.default(9443).describe('admission webhook, HTTPS, on 127.0.0.1'),
  shimMetrics: port.default(9479).describe('/metrics, /healthz and /readyz of the shim, on 127.0.0.1'),
  proberMetrics: port.default(9480).describe('/metrics, /healthz and /readyz of the prober, on 127.0.0.1'),
  webhookMetrics: port.default(9481).describe('/metrics, /healthz and /readyz of the webhook, on 127.0.0.1'),
});
export type Ports = z.infer<typeof portsSchema>;

const nodeSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'expected a DNS label: lower-case letters, digits and hyphens',
    )
    .describe('name of the node, as Kubernetes has it'),
  role: z.enum(roles).describe('leader or follower; never changes by itself'),
  address: ipAddress.describe('where the peer reaches this node (IPv4 or IPv6)'),
  bind: ipAddress
    .optional()
    .describe('where this node listens for its peer; default: address. Differs only behind a relay or NAT'),
  ports: portsSchema.prefault({}).describe('ports of this node'),
});

/** A rule of a mutation list. It reads like an RBAC or audit rule; a field that is absent matches everything. */
export const mutationRuleSchema = z.strictObject({
  apiGroups: z.array(z.string()).optional().describe('API groups; "" is the core group, "*" is all'),
  resources: z
    .array(z.string().min(1))
    .min(1)
    .describe('resources, with subresources as pods/status; "*" is all'),
  namespaces: z.array(z.string()).optional().describe('namespaces'),
  names: z.array(z.string()).optional().describe('names of objects'),
  verbs: z
    .array(z.enum(['create', 'update', 'delete', '*']))
    .optional()
    .describe('create, update, delete'),
  minPriority: z
    .int()
    .min(-2147483648)
    .max(2000001000)
    .optional()
    .describe('lowest pod priority that is allowed'),
  priorityClasses: z.array(z.string()).optional().describe('names of priority classes that are allowed'),
  users: z.array(z.string()).optional().describe('users (seen by the webhook only)'),
  groups: z.array(z.string()).optional().describe('groups (seen by the webhook only)'),
});
export type MutationRule = z.infer<typeof mutationRuleSchema>;

const mutationListSchema = z
  .array(
    z
      .union([z.string().min(1), mutationRuleSchema], 'expected a rule, or the name of a set')
      .describe('a rule, or the name of a set: a built-in one or one of mutationSets'),
  )
  .default([]);

const datastoreSchema = z.strictObject({
  ack: z
    .enum(['both', 'local'])
    .default('both')
    .describe(
      'when a write returns: both = the peer has it too while the link is healthy; local = on this disk',
    ),
  ackTimeout: duration(10, 60_000)
    .prefault('500ms')
    .describe('how long a write waits for the peer before the node goes on alone'),
  conflictPolicy: z
    .enum(['leader-wins', 'newest-wins', 'manual'])
    .default('leader-wins')
    .describe(
      'which version of a key that both nodes changed while apart stays; the other one is kept as a conflict. ' +
        'newest-wins needs clocks that agree within 1 s; manual = the leader’s, until a person decides',
    ),
  quotaBackendBytes: z
    .int()
    .min(16 * 1024 * 1024)
    .default(2 * 1024 * 1024 * 1024)
    .describe('size of the log at which the NOSPACE alarm is raised, in bytes'),
  maxRequestBytes: z
    .int()
    .min(64 * 1024)
    .max(4 * 1024 * 1024)
    .default(1.5 * 1024 * 1024)
    .describe('largest request that is accepted, in bytes'),
});

const statesSchema = z.strictObject({
  incidentWindow: duration(0, 60_000)
    .prefault('5s')
    .describe('failures with onsets this close are one incident'),
  staleAfter: duration(1_000, 300_000)
    .prefault('10s')
    .describe('a prober silent for longer makes the node Impaired'),
  linkStallAfter: duration(1_000, 300_000)
    .prefault('10s')
    .describe('the log link counts as stalled after this long without an answer'),
  bootGrace: duration(0, 600_000)
    .prefault('30s')
    .describe('after boot, how long a node waits for a silent peer before it decides alone'),
});

const secretsSchema = z.strictObject({
  clusterKeyFile: z
    .string()
    .optional()
    .describe(
      'file with the secret that both nodes share (beats and leaf link are authenticated with it); default: DATADIR/cluster.key',
    ),
});

const kubernetesSchema = z.strictObject({
  kubeconfig: z
    .string()
    .optional()
    .describe(
      'kubeconfig with which the webhook reaches the own kube-apiserver, {node} stands for the name of the node; ' +
        'without it nothing is told in Node objects and Events, and priority classes are known by name only',
    ),
  registration: z
    .enum(['manifest', 'object'])
    .default('manifest')
    .describe(
      'how kube-apiserver learns of the webhook: manifest = a static manifest beside the datastore (Kubernetes 1.37 and later); ' +
        'object = a ValidatingWebhookConfiguration (before 1.37), which needs the kubeconfig',
    ),
});

const webhookSchema = z.strictObject({
  certificateLifetime: duration(10_000, 90 * 24 * 3_600_000)
    .prefault('168h')
    .describe(
      'how long a certificate of the webhook is good; it is renewed after two thirds of that, its CA lives 52 times as long',
    ),
});

export const configSchema = z
  .strictObject({
    apiVersion: z.literal('twonode.dev/v1alpha1'),
    kind: z.literal('TwoNodeConfiguration'),
    cluster: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected a DNS label')
      .describe('name of the cluster'),
    nodes: z.array(nodeSchema).length(2).describe('the two nodes: one leader, one follower'),
    dataDir: z.string().min(1).default('/var/lib/twonode').describe('folder for the store, keys and state'),
    logLevel: z
      .enum(['debug', 'info', 'warn', 'error'])
      .default('info')
      .describe('least level that is logged'),
    probes: probesSchema.describe('what the prober checks'),
    states: statesSchema.prefault({}).describe('times of the state machine'),
    datastore: datastoreSchema.prefault({}).describe('the log and its limits'),
    kubernetes: kubernetesSchema.prefault({}).describe('what the webhook and Kubernetes tell each other'),
    webhook: webhookSchema.prefault({}).describe('the admission webhook'),
    secrets: secretsSchema.prefault({}).describe('files with secrets'),
    defaults: z
      .enum(['include', 'replace'])
      .default('include')
      .describe('whether the built-in mutation lists stand beside the configured ones'),
    mutationSets: z
      .record(z.string().min(1), z.array(mutationRuleSchema))
      .default({})
      .describe('rules under a name, for both lists; one with the name of a built-in set takes its place'),
    approvedMutationList: mutationListSchema.describe('writes allowed in LeaderRX'),
    impairedMutationList: mutationListSchema.describe(
      'writes allowed in Impaired; they may be temporary until the nodes meet again',
    ),
  })
  .superRefine((config, context) => {
    const [first, second] = config.nodes;
    if (!first || !second) return;
    if (first.name === second.name) {
      context.addIssue({
        code: 'custom',
        path: ['nodes', 1, 'name'],
        message: 'expected two different names',
      });
    }
    if (first.role === second.role) {
      context.addIssue({
        code: 'custom',
        path: ['nodes', 1, 'role'],
        message: `expected one leader and one follower, both are ${first.role}`,
      });
    }
    checkRegistration(config.kubernetes, first.ports.webhook === second.ports.webhook, context);
    checkSetNames(config, context);
  });

/** One object serves both nodes: each calls the webhook of its own host by the same URL. */
function checkRegistration(
  { registration, kubeconfig }: z.infer<typeof kubernetesSchema>,
  samePort: boolean,
  context: z.RefinementCtx,
): void {
  if (registration === 'manifest') return;
  const fault = (message: string) =>
    context.addIssue({ code: 'custom', path: ['kubernetes', 'registration'], message });
  if (kubeconfig === undefined) fault('expected a kubernetes.kubeconfig for registration: object');
  if (!samePort) fault('expected the same ports.webhook on both nodes for registration: object');
}

function checkSetNames(
  {
    mutationSets,
    ...lists
  }: {
    mutationSets: Record<string, MutationRule[]>;
    approvedMutationList: (string | MutationRule)[];
    impairedMutationList: (string | MutationRule)[];
  },
  context: z.RefinementCtx,
): void {
  const known = [...Object.keys(mutationSets), ...builtInSetNames()];
  for (const list of ['approvedMutationList', 'impairedMutationList'] as const) {
    for (const [index, entry] of lists[list].entries()) {
      if (typeof entry !== 'string' || known.includes(entry)) continue;
      const message = `expected the name of a set: ${[...new Set(known)].join(', ')}`;
      context.addIssue({ code: 'custom', path: [list, index], message });
    }
  }
}

export type TwoNodeConfiguration = z.infer<typeof configSchema>;
export type NodeConfiguration = TwoNodeConfiguration['nodes'][number];

/** This node and its peer, looked up by name. */
export interface NodePair {
  self: NodeConfiguration;
  peer: NodeConfiguration;
}

/**
 * Finds a node of the configuration and its peer.
 * @throws RangeError when the configuration has no such node
 */
export function nodePair(config: TwoNodeConfiguration, name: string): NodePair {
  const self = config.nodes.find((node) => node.name === name);
  const peer = config.nodes.find((node) => node.name !== name);
  if (!self || !peer) {
    const names = config.nodes.map((node) => node.name).join(' and ');
    throw new RangeError(`there is no node "${name}" in the configuration: its nodes are ${names}`);
  }
  return { self, peer };
}
