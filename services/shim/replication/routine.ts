import { parseKey } from '../../../shared/mutation/registry-key.ts';
import { Reader } from '../protobuf/wire.ts';

/** Controllers derive all of these from other objects. */
const derived = new Set(['endpoints', 'endpointslices']);
/** The kubelet and the scheduler write the status of these over and over; people write the rest. */
const reported = new Set(['nodes', 'pods']);

/** Field numbers of k8s.io/apimachinery/pkg/runtime.Unknown, of Node and Pod of k8s.io/api/core/v1, and of ObjectMeta. */
const unknownRaw = 2;
const objectMetadata = 1;
const objectStatus = 3;
const metadataManagedFields = 17;

/**
 * Whether a conflict over this key is one that controllers settle by themselves: endpoints, endpoint slices, and the status of
 * nodes and pods. A node or pod that one side deleted, or that differs in more than its status, is none.
 * @param leader the leader's value, and the follower's; null is a deletion
 */
export function isRoutine(key: string, leader: Uint8Array | null, follower: Uint8Array | null): boolean {
  const { resource, apiGroup } = parseKey(key);
  if (derived.has(resource)) return apiGroup === '' || apiGroup === 'discovery.k8s.io';
  if (!reported.has(resource) || apiGroup !== '' || !leader || !follower) return false;
  const [one, other] = [withoutStatus(leader), withoutStatus(follower)];
  return one !== null && other !== null && one.equals(other);
}

/**
 * A stored object but its status, and but who wrote which field when, which changes with it. Null when it cannot be read:
 * encrypted at rest, or damaged.
 */
function withoutStatus(value: Uint8Array): Buffer | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  try {
    if (bytes.toString('latin1', 0, 4) === 'k8s\0') return fromProtobuf(bytes.subarray(4));
    if (bytes[0] === 0x7b) return fromJson(bytes.toString());
  } catch {
    return null;
  }
  return null;
}

function fromJson(text: string): Buffer {
  const { status: _, ...object } = JSON.parse(text) as { status?: unknown; metadata?: object };
  return Buffer.from(JSON.stringify({ ...object, metadata: { ...object.metadata, managedFields: null } }));
}

/** @throws WireError */
function fromProtobuf(unknown: Buffer): Buffer | null {
  const object = fields(unknown).find(({ number }) => number === unknownRaw)?.content;
  if (!object) return null;
  const kept = fields(object).flatMap(({ number, whole, content }) => {
    if (number === objectStatus) return [];
    if (number !== objectMetadata) return [whole];
    return fields(content)
      .filter((field) => field.number !== metadataManagedFields)
      .map((field) => field.whole);
  });
  return Buffer.concat(kept);
}

/** One field of a message: all its bytes, and what it holds where that is length-delimited. */
interface MessageField {
  number: number;
  whole: Buffer;
  content: Buffer;
}

/** @throws WireError */
function fields(message: Buffer): MessageField[] {
  const reader = new Reader(message);
  const found: MessageField[] = [];
  while (!reader.done) {
    const start = reader.offset;
    const tag = reader.varint();
    const content = (tag & 7) === 2 ? reader.bytes() : noContent;
    if ((tag & 7) !== 2) reader.skip(tag & 7);
    found.push({ number: tag >>> 3, whole: message.subarray(start, reader.offset), content });
  }
  return found;
}

const noContent = Buffer.alloc(0);
