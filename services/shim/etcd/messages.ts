import {
  bool,
  bytes,
  type Codec,
  enumeration,
  type Infer,
  id64,
  int64,
  key,
  message,
  optional,
  repeated,
  repeatedNumbers,
  repeatedStrings,
  string,
} from '../protobuf/message.ts';

/**
 * etcd's messages (etcd api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto, v3.6), with their field numbers. Names are the
 * proto's in camel case. Keys are latin1 text, which sorts as their bytes do.
 */

export const responseHeader = message({
  clusterId: id64(1),
  memberId: id64(2),
  revision: int64(3),
  raftTerm: int64(4),
});
export type ResponseHeader = Infer<typeof responseHeader>;

export const rangeRequest = message({
  key: key(1),
  rangeEnd: key(2),
  limit: int64(3),
  revision: int64(4),
  sortOrder: enumeration(5),
  sortTarget: enumeration(6),
  serializable: bool(7),
  keysOnly: bool(8),
  countOnly: bool(9),
  minModRevision: int64(10),
  maxModRevision: int64(11),
  minCreateRevision: int64(12),
  maxCreateRevision: int64(13),
});
export type RangeRequest = Infer<typeof rangeRequest>;

export const putRequest = message({
  key: key(1),
  value: bytes(2),
  lease: id64(3),
  prevKv: bool(4),
  ignoreValue: bool(5),
  ignoreLease: bool(6),
});
export type PutRequest = Infer<typeof putRequest>;

export const deleteRangeRequest = message({ key: key(1), rangeEnd: key(2), prevKv: bool(3) });
export type DeleteRangeRequest = Infer<typeof deleteRangeRequest>;

export const compare = message({
  result: enumeration(1),
  target: enumeration(2),
  key: key(3),
  version: int64(4),
  createRevision: int64(5),
  modRevision: int64(6),
  value: bytes(7),
  lease: id64(8),
  rangeEnd: key(64),
});
export type Compare = Infer<typeof compare>;

export interface RequestOp {
  requestRange: RangeRequest | undefined;
  requestPut: PutRequest | undefined;
  requestDeleteRange: DeleteRangeRequest | undefined;
  requestTxn: TxnRequest | undefined;
}
export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

/** A transaction may hold transactions: the codec refers to itself. */
const nestedTxn: Codec<TxnRequest> = {
  fields: {},
  decode: (input) => txnRequest.decode(input),
  encode: (value) => txnRequest.encode(value),
  read: (reader) => txnRequest.read(reader),
  write: (writer, value) => txnRequest.write(writer, value),
};
export const requestOp: Codec<RequestOp> = message({
  requestRange: optional(1, rangeRequest),
  requestPut: optional(2, putRequest),
  requestDeleteRange: optional(3, deleteRangeRequest),
  requestTxn: optional(4, nestedTxn),
});
export const txnRequest: Codec<TxnRequest> = message({
  compare: repeated(1, compare),
  success: repeated(2, requestOp),
  failure: repeated(3, requestOp),
});

export const compactionRequest = message({ revision: int64(1), physical: bool(2) });
export const compactionResponse = message({ header: optional(1, responseHeader) });

export const watchCreateRequest = message({
  key: key(1),
  rangeEnd: key(2),
  startRevision: int64(3),
  progressNotify: bool(4),
  filters: repeatedNumbers(5),
  prevKv: bool(6),
  watchId: int64(7),
  fragment: bool(8),
});
export type WatchCreateRequest = Infer<typeof watchCreateRequest>;
export const watchCancelRequest = message({ watchId: int64(1) });
const nothing = message({});
export const watchRequest = message({
  createRequest: optional(1, watchCreateRequest),
  cancelRequest: optional(2, watchCancelRequest),
  progressRequest: optional(3, nothing),
});

export const leaseGrantRequest = message({ ttl: int64(1), id: id64(2) });
export const leaseGrantResponse = message({
  header: optional(1, responseHeader),
  id: id64(2),
  ttl: int64(3),
  error: string(4),
});
export const leaseRevokeRequest = message({ id: id64(1) });
export const leaseRevokeResponse = message({ header: optional(1, responseHeader) });
export const leaseKeepAliveRequest = message({ id: id64(1) });
export const leaseKeepAliveResponse = message({
  header: optional(1, responseHeader),
  id: id64(2),
  ttl: int64(3),
});
export const leaseTimeToLiveRequest = message({ id: id64(1), keys: bool(2) });
export const leaseTimeToLiveResponse = message({
  header: optional(1, responseHeader),
  id: id64(2),
  ttl: int64(3),
  grantedTtl: int64(4),
  keys: repeatedStrings(5, 'latin1'),
});
export const leaseStatus = message({ id: id64(1) });
export const leaseLeasesResponse = message({
  header: optional(1, responseHeader),
  leases: repeated(2, leaseStatus),
});

export const member = message({
  id: id64(1),
  name: string(2),
  peerUrls: repeatedStrings(3),
  clientUrls: repeatedStrings(4),
  isLearner: bool(5),
});
export type Member = Infer<typeof member>;
export const memberListRequest = message({ linearizable: bool(1) });
export const memberListResponse = message({
  header: optional(1, responseHeader),
  members: repeated(2, member),
});

/** `AlarmRequest.AlarmAction` and `AlarmType`. */
export const alarmAction = { get: 0, activate: 1, deactivate: 2 } as const;
export const alarmType = { none: 0, noSpace: 1, corrupt: 2 } as const;
export const alarmRequest = message({ action: enumeration(1), memberId: id64(2), alarm: enumeration(3) });
export const alarmMember = message({ memberId: id64(1), alarm: enumeration(2) });
export const alarmResponse = message({
  header: optional(1, responseHeader),
  alarms: repeated(2, alarmMember),
});
export const moveLeaderRequest = message({ targetId: id64(1) });
export const snapshotResponse = message({
  header: optional(1, responseHeader),
  remainingBytes: int64(2),
  blob: bytes(3),
  version: string(4),
});
export const hashResponse = message({ header: optional(1, responseHeader), hash: int64(2) });
export const hashKvRequest = message({ revision: int64(1) });
export const hashKvResponse = message({
  header: optional(1, responseHeader),
  hash: int64(2),
  compactRevision: int64(3),
  hashRevision: int64(4),
});
export const statusResponse = message({
  header: optional(1, responseHeader),
  version: string(2),
  dbSize: int64(3),
  leader: id64(4),
  raftIndex: int64(5),
  raftTerm: int64(6),
  raftAppliedIndex: int64(7),
  errors: repeatedStrings(8),
  dbSizeInUse: int64(9),
  isLearner: bool(10),
  storageVersion: string(11),
  dbSizeQuota: int64(12),
});

export const healthCheckRequest = message({ service: string(1) });
/** gRPC health checking (grpc/health/v1/health.proto): 1 is SERVING, 2 NOT_SERVING. */
export const healthCheckResponse = message({ status: enumeration(1) });
