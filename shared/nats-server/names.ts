/**
 * The names that replication uses in JetStream. Node names are DNS labels, so they are subject tokens as they are; a
 * node's JetStream domain is its name.
 */

/** Name of the one node of `twonode etcd`, and of its JetStream domain. */
export const singleNode = 'twonode-etcd';

/** Stream with copy number `n` of the log: on the leader the log itself, on the follower a mirror of it. `n` >= 1. */
export function logStream(n: number): string {
  return `TWONODE_LOG_${n}`;
}

/** The number of a log's stream, or null when a stream is none. */
export function logStreamNumber(name: string): number | null {
  const number = /^TWONODE_LOG_(\d+)$/.exec(name)?.[1];
  return number === undefined ? null : Number(number);
}

/** Stream with what a follower wrote alone, number `n` >= 1. */
export function overlayStream(n: number): string {
  return `TWONODE_OVERLAY_${n}`;
}

/** Stream with the records that only this node holds, while its log is made anew: each at the place that it has in the log. */
export const keptStream = 'TWONODE_KEPT';

/** The durable push consumer, on the stream of origin, which feeds the mirror on node `to`. */
export function mirrorConsumer(to: string): string {
  return `mirror_${to}`;
}

/** Where {@link mirrorConsumer} delivers; it crosses the leaf, the log's own subject never does. */
export function mirrorDeliverSubject(to: string): string {
  return `repl.deliver.${to}`;
}

/** The JetStream API of a node's domain, as the other node addresses it (`external.api` of a mirror). */
export function jetStreamApi(node: string): string {
  return `$JS.${node}.API`;
}
