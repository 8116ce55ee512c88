import { type Status, status } from './grpc/status.ts';

/** An answer to a client that is not a success: a gRPC status code and a text. Clients compare the text. */
export class EtcdError extends Error {
  override name = 'EtcdError';
  readonly code: Status;

  constructor(code: Status, text: string) {
    super(text);
    this.code = code;
  }
}

/** etcd's own errors, to the letter (etcd api/v3rpc/rpctypes/error.go). */
export const etcdErrors = {
  emptyKey: () => new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: key is not provided'),
  keyNotFound: () => new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: key not found'),
  valueProvided: () => new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: value is provided'),
  leaseProvided: () => new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: lease is provided'),
  tooManyOps: () => new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: too many operations in txn request'),
  duplicateKey: () =>
    new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: duplicate key given in txn request'),
  invalidSortOption: () => new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: invalid sort option'),
  compacted: () =>
    new EtcdError(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted'),
  futureRevision: () =>
    new EtcdError(status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision is a future revision'),
  noSpace: () => new EtcdError(status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded'),
  leaseNotFound: () => new EtcdError(status.NOT_FOUND, 'etcdserver: requested lease not found'),
  leaseExists: () => new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: lease already exists'),
  leaseTtlTooLarge: () => new EtcdError(status.OUT_OF_RANGE, 'etcdserver: too large lease TTL'),
  requestTooLarge: () => new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: request is too large'),
  tooManyRequests: () => new EtcdError(status.RESOURCE_EXHAUSTED, 'etcdserver: too many requests'),
  noLeader: () => new EtcdError(status.UNAVAILABLE, 'etcdserver: no leader'),
  notLeader: () => new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: not leader'),
  badLeaderTransferee: () => new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: bad leader transferee'),
  leaderChanged: () => new EtcdError(status.UNAVAILABLE, 'etcdserver: leader changed'),
  stopped: () => new EtcdError(status.UNAVAILABLE, 'etcdserver: server stopped'),
  timeout: () => new EtcdError(status.UNAVAILABLE, 'etcdserver: request timed out'),
  connectionLost: () =>
    new EtcdError(status.UNAVAILABLE, 'etcdserver: request timed out, possibly due to connection lost'),
} as const;

/** A refusal by a mutation list. Never UNAVAILABLE: clients would repeat it for ever. */
export function permissionDenied(text: string): EtcdError {
  return new EtcdError(status.PERMISSION_DENIED, text);
}

/** A request that is not well-formed, with the texts of grpc-go: for a single message, and for one of a stream. */
export function malformed(what: string): EtcdError {
  return new EtcdError(status.INTERNAL, `grpc: error unmarshalling request: ${what}`);
}
export function malformedInStream(what: string): EtcdError {
  return new EtcdError(status.INTERNAL, `grpc: failed to unmarshal the received message: ${what}`);
}

/** A call that etcd has and twonode does not; docs/etcd-api.md says why for each. */
export function unimplemented(method: string): EtcdError {
  return new EtcdError(status.UNIMPLEMENTED, `twonode: ${method} is not implemented`);
}

/** The answer cannot be passed on by a follower; nothing was changed. */
export function answerTooLarge(bytes: number, bytesMax: number): EtcdError {
  const text = `twonode: an answer of ${bytes} bytes cannot come through the follower (${bytesMax} at most); nothing was changed`;
  return new EtcdError(status.RESOURCE_EXHAUSTED, `${text}: ask the leader, or in parts`);
}

/** The conflict that is to be ended is not there, or not any longer. */
export function noSuchConflict(id: string): EtcdError {
  return new EtcdError(status.NOT_FOUND, `twonode: there is no open conflict ${id}`);
}

/** A key is no longer what the person saw who wants to write it. */
export function changedSince(key: string, current: number, seen: number): EtcdError {
  const text = `twonode: ${key} is at revision ${current} now, not at ${seen}: look at it again`;
  return new EtcdError(status.FAILED_PRECONDITION, text);
}

/** A health check of a service that is not known, with the text of grpc-go. */
export function unknownService(): EtcdError {
  return new EtcdError(status.NOT_FOUND, 'unknown service');
}
