import { bool, bytes, int64, key, message, string } from '../protobuf/message.ts';

/** A write that ends a conflict. It goes the way of all writes: to the leader, if the states and lists allow it. */
export const resolveRequest = message({
  id: string(1),
  /** Write what follows; else the key stays as it is. */
  apply: bool(2),
  key: key(3),
  deleted: bool(4),
  value: bytes(5),
  /** The mod revision at which the person saw the key, 0: absent. */
  revision: int64(6),
});
