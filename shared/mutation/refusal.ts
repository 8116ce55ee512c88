import type { StateMessage } from '../messages.ts';
import { isRestricted, type RestrictedState } from '../node.ts';
import type { ListName, Refused } from './authorize.ts';
import type { MutationRequest } from './request.ts';

/** Why a node is restricted, as its state message says it. */
export interface Restriction {
  state: RestrictedState;
  /** The node that refuses. */
  node: string;
  /** The state's `text`: `node-a unreachable since 12:03:11Z`. */
  text: string;
  /** When it began, in milliseconds since the Unix epoch. */
  sinceMs: number;
}

/**
 * The webhook's sentence. Its first word is the state, and the line is whole in itself, because kubectl prints nothing else.
 *
 * @param usablePeer name of the peer when it is known to take writes; null when it is not
 */
export function webhookRefusal(
  restriction: Restriction,
  request: MutationRequest,
  list: ListName,
  nowMs: number,
  usablePeer: string | null,
): string {
  const { state, node, text } = restriction;
  const why = `(${text}, ${age(nowMs - restriction.sinceMs)})`;
  const what = `${request.verb.toUpperCase()} ${describeObject(request)}`;
  if (state === 'LeaderRX') {
    return `LeaderRX: ${node} is a restricted leader ${why}; ${what} is not on the ${list}. Reads work. See: kubectl twonode status`;
  }
  const advice = usablePeer === null ? 'Reads work. See: kubectl twonode status' : `Use ${usablePeer}.`;
  return `Impaired: ${node} is read-only ${why}; ${what} refused. ${advice}`;
}

/**
 * The webhook's sentence for the state that a shim published.
 * @throws Error when nothing is refused in that state
 */
export function refusalIn(
  said: StateMessage,
  request: MutationRequest,
  list: ListName,
  nowMs: number,
): string {
  const { state, node, text } = said;
  if (!isRestricted(state)) throw new Error(`nothing is refused in ${state}`);
  const restriction = { state, node, text, sinceMs: Date.parse(said.reason_since ?? said.since) };
  return webhookRefusal(restriction, request, list, nowMs, usablePeer(said));
}

/** The peer's name when it is heard and takes writes. */
function usablePeer({ peer }: StateMessage): string | null {
  const takesWrites = peer.state === 'Leader' || peer.state === 'LeaderRX';
  return peer.heard && takesWrites ? peer.node : null;
}

/** The shim's sentence: one line of ASCII, for it travels in a gRPC header. */
export function shimRefusal(
  restriction: Restriction,
  key: string,
  { list, electsOn }: Omit<Refused, 'allowed'>,
  nowMs: number,
): string {
  const why = electsOn === undefined ? notOn(list) : `leader election is on ${electsOn}`;
  return shimSentence(restriction, `write to ${key}`, why, nowMs);
}

/** The shim's sentence for LeaseGrant, LeaseKeepAlive and LeaseRevoke. */
export function shimLeaseRefusal(restriction: Restriction, list: ListName, nowMs: number): string {
  return shimSentence(restriction, 'lease call', notOn(list), nowMs);
}

const notOn = (list: ListName) => `not on the ${list}`;

function shimSentence({ state, text, sinceMs }: Restriction, what: string, why: string, nowMs: number) {
  const restricted = `${text.replace(/ since \d\d:\d\d:\d\dZ$/, '')} ${age(nowMs - sinceMs)}`;
  const sentence = `twonode: ${state}: ${what} refused: ${why}; ${restricted}`;
  return sentence.replace(/[^\x20-\x7e]/g, '?');
}

/** The object as kubectl names it: `deployments.apps/scale default/web`. */
export function describeObject({
  apiGroup,
  resource,
  subresource,
  namespace,
  name,
}: MutationRequest): string {
  const type = `${resource}${apiGroup ? `.${apiGroup}` : ''}${subresource ? `/${subresource}` : ''}`;
  if (name === '') return namespace === '' ? type : `${type} in ${namespace}`;
  return `${type} ${namespace === '' ? name : `${namespace}/${name}`}`;
}

/** A duration in two units at most, as Kubernetes shows ages: `42s`, `3m5s`, `2h10m`, `4d3h`. */
export function age(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const units: [number, string, number, string][] = [
    [86_400, 'd', 3_600, 'h'],
    [3_600, 'h', 60, 'm'],
    [60, 'm', 1, 's'],
  ];
  for (const [size, name, smaller, smallerName] of units) {
    if (seconds < size) continue;
    const rest = Math.floor((seconds % size) / smaller);
    return `${Math.floor(seconds / size)}${name}${rest > 0 ? `${rest}${smallerName}` : ''}`;
  }
  return `${seconds}s`;
}
