import { z } from 'zod';
import { duration } from './duration.ts';

interface CheckDefaults {
  interval: string;
  timeout: string;
  severity: 'fatal' | 'warning' | 'off';
  failureThreshold: number;
  successThreshold: number;
}

/** How a check is run and judged. The defaults differ from check to check. */
function check(defaults: CheckDefaults) {
  return {
    interval: duration(10, 3_600_000).prefault(defaults.interval).describe('time between two checks'),
    timeout: duration(10, 600_000).prefault(defaults.timeout).describe('time limit of one check'),
    severity: z
      .enum(['fatal', 'warning', 'off'])
      .default(defaults.severity)
      .describe('what a failure of this check means; off: it is not run'),
    failureThreshold: z
      .int()
      .min(1)
      .max(1000)
      .default(defaults.failureThreshold)
      .describe('failures in a row until it counts as failed'),
    successThreshold: z
      .int()
      .min(1)
      .max(1000)
      .default(defaults.successThreshold)
      .describe('successes in a row until a failed check counts as ok again'),
  };
}

const testPoint = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'expected lower-case letters, digits and hyphens')
      .describe('name of the test point, as in the subject'),
    address: z
      .string()
      .min(1)
      .default('auto')
      .describe(
        'IPv4 or IPv6 address, or host name; auto: the gateway of the default route, IPv4 before IPv6',
      ),
    method: z
      .enum(['icmp', 'tcp'])
      .default('icmp')
      .describe('ICMP echo, or TCP connect where ICMP is filtered'),
    port: z.int().min(1).max(65535).optional().describe('TCP port, with method tcp'),
    ...check({ interval: '1s', timeout: '1s', severity: 'fatal', failureThreshold: 4, successThreshold: 2 }),
  })
  .refine(({ method, port }) => method === 'icmp' || port !== undefined, {
    path: ['port'],
    message: 'expected a port for method tcp',
  });
export type TestPoint = z.infer<typeof testPoint>;

export const probesSchema = z.strictObject({
  nic: z
    .strictObject({
      interface: z.string().min(1).default('eth0').describe('interface of the node'),
      carrierLoss: z
        .enum(['local', 'joint'])
        .default('local')
        .describe('what lost carrier means: local = this NIC failed; joint = the switch lost power'),
      ...check({
        interval: '500ms',
        timeout: '1s',
        severity: 'fatal',
        failureThreshold: 1,
        successThreshold: 3,
      }),
    })
    .prefault({}),
  vnic: z
    .strictObject({
      interfaces: z
        .array(z.string().min(1))
        .default([])
        .describe('vNICs, VLANs and virtual functions to watch'),
      ...check({
        interval: '500ms',
        timeout: '1s',
        severity: 'fatal',
        failureThreshold: 1,
        successThreshold: 3,
      }),
    })
    .prefault({}),
  cni: z
    .strictObject({
      configDir: z
        .string()
        .default('/var/lib/rancher/k3s/agent/etc/cni/net.d')
        .describe(
          "folder with the CNI configuration, {node} stands for the name of the node; default: k3s'; empty: not checked",
        ),
      interfaces: z
        .array(z.string().min(1))
        .default(['flannel.1'])
        .describe("interfaces of the CNI; default: that of k3s' flannel with its usual backend, VXLAN"),
      healthUrl: z
        .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
        .optional()
        .describe("health of the CNI's agent, 200 is well; Cilium: http://127.0.0.1:9879/healthz"),
      healthSocket: z
        .string()
        .startsWith('/', 'expected an absolute path')
        .optional()
        .describe("unix socket on which the CNI's agent must accept connections"),
      ...check({
        interval: '1s',
        timeout: '2s',
        severity: 'fatal',
        failureThreshold: 3,
        successThreshold: 2,
      }),
    })
    .prefault({}),
  api: z
    .strictObject({
      url: z
        .url()
        .optional()
        .describe(
          'readiness of the own kube-apiserver; default: https://127.0.0.1:<ports.api>/readyz, without its checks of etcd',
        ),
      ...check({
        interval: '1s',
        timeout: '2s',
        severity: 'fatal',
        failureThreshold: 3,
        successThreshold: 2,
      }),
    })
    .prefault({}),
  storage: z
    .strictObject({
      warningFreePercent: z
        .number()
        .min(0)
        .max(100)
        .default(15)
        .describe('warning below this much free space or inodes, in percent'),
      failedFreePercent: z
        .number()
        .min(0)
        .max(100)
        .default(3)
        .describe('failed below this much free space or inodes, in percent'),
      warningWriteTime: duration(1, 600_000)
        .prefault('1s')
        .describe('warning when a small write with fsync takes longer than this'),
      ...check({
        interval: '5s',
        timeout: '2s',
        severity: 'fatal',
        failureThreshold: 1,
        successThreshold: 2,
      }),
    })
    .prefault({}),
  cpu: z
    .strictObject({
      warningLoadPerCore: z
        .number()
        .positive()
        .default(4)
        .describe('warning above this 1-minute load for each core'),
      ...check({
        interval: '5s',
        timeout: '2s',
        severity: 'warning',
        failureThreshold: 1,
        successThreshold: 1,
      }),
    })
    .prefault({}),
  memory: z
    .strictObject({
      warningAvailablePercent: z
        .number()
        .min(0)
        .max(100)
        .default(5)
        .describe('warning below this much available memory, in percent'),
      warningPressurePercent: z
        .number()
        .min(0)
        .max(100)
        .default(20)
        .describe('warning above this memory pressure (PSI some avg10), in percent'),
      ...check({
        interval: '5s',
        timeout: '2s',
        severity: 'warning',
        failureThreshold: 1,
        successThreshold: 1,
      }),
    })
    .prefault({}),
  datastore: z
    .strictObject({
      ...check({
        interval: '1s',
        timeout: '2s',
        severity: 'fatal',
        failureThreshold: 3,
        successThreshold: 2,
      }),
    })
    .prefault({}),
  beat: z
    .strictObject({
      interval: duration(10, 1_000)
        .prefault('100ms')
        .describe('time between two beats of a peer that is heard'),
      suspectAfter: duration(50, 60_000)
        .prefault('250ms')
        .describe('silence after which the peer is suspect: then it is asked every 15 ms'),
      downAfter: duration(100, 60_000).prefault('800ms').describe('silence after which the peer is down'),
      upWindow: duration(100, 600_000)
        .prefault('2s')
        .describe('the peer is up again when half the beats of this window came'),
    })
    .prefault({}),
  peerIcmp: z
    .strictObject({
      ...check({
        interval: '1s',
        timeout: '1s',
        severity: 'warning',
        failureThreshold: 4,
        successThreshold: 2,
      }),
    })
    .prefault({}),
  peerApi: z
    .strictObject({
      ...check({
        interval: '1s',
        timeout: '2s',
        severity: 'fatal',
        failureThreshold: 3,
        successThreshold: 2,
      }),
    })
    .prefault({}),
  northSouth: z
    .array(testPoint)
    .min(1, 'expected at least one test point: without one a node cannot tell isolation from a dead peer')
    .refine((points) => points.length === 0 || points.some(({ severity }) => severity === 'fatal'), {
      message:
        'expected a test point with severity fatal: without one a node cannot tell isolation from a dead peer',
    })
    .refine((points) => new Set(points.map(({ name }) => name)).size === points.length, {
      message: 'expected a different name for each test point',
    })
    .describe('test points beyond the switch: the gateway, the WAN'),
});
export type ProbesConfiguration = z.infer<typeof probesSchema>;
export type CniConfiguration = ProbesConfiguration['cni'];

/** Whether there is anything of the CNI to look at. */
export function looksAtCni({ configDir, interfaces, healthUrl, healthSocket }: CniConfiguration): boolean {
  return configDir !== '' || interfaces.length > 0 || healthUrl !== undefined || healthSocket !== undefined;
}
