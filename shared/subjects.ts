/**
 * The NATS subjects of twonode. One function for each, so that no other file spells a subject.
 *
 * A subject token must not hold dots, wildcards or white space: {@link token} escapes them.
 */

/** What needs no escape, such as most names of Kubernetes. */
const plainToken = /^[A-Za-z0-9_:@=+-]+$/;

/** Escapes any text into one subject token: `%` and two hex digits for each byte that NATS would read otherwise. */
export function token(text: string): string {
  if (text === '') return '%';
  if (plainToken.test(text)) return text;
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    out += /[A-Za-z0-9_:@=+-]/.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}

/**
 * Characters of a token that an etcd client chooses. nats-server ends the connection of whoever sends a line of more than 4,096: three
 * such tokens stay below. Names of Kubernetes always fit.
 */
const clientTokenMax = 1_000;

function clientToken(text: string): string {
  return token(text).slice(0, clientTokenMax);
}

export type HealthArea = 'local' | 'eastwest' | 'northsouth';

export const subjects = {
  /** One health signal of a node. */
  health: (node: string, area: HealthArea, check: string) =>
    `twonode.health.${token(node)}.${area}.${token(check)}`,
  /** All health signals of one node. */
  healthOf: (node: string) => `twonode.health.${token(node)}.>`,
  /** The state of a node. */
  state: (node: string) => `twonode.state.${token(node)}`,
  /** The `status` endpoint of a service (NATS micro). */
  status: (node: string, service: string) => `twonode.status.${token(node)}.${service}`,
  /** A request to the shim of `node`. */
  rpc: (node: string, method: string) => `twonode.rpc.${token(node)}.${method}`,
  /** A change that went by, without its value. Very long words are cut: the message has them whole. */
  change: (node: string, resource: string, ...rest: string[]) =>
    ['twonode.change', token(node), clientToken(resource), ...rest.map(clientToken)].join('.'),
  /** Where the leader's shim publishes log records. It must never cross the leaf. */
  logRecords: 'log.records',
  /** Where a follower's shim publishes what it writes alone. It must never cross the leaf. */
  overlayRecords: 'overlay.records',
  /** Where a leader's shim publishes records that it keeps while its log is made anew. It must never cross the leaf. */
  keptRecords: 'kept.records',
} as const;
