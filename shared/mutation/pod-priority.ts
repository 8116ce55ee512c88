/** What the datastore can see of a pod's priority. */
export interface PodPriority {
  /** Undefined when the value cannot be read: then no rule is judged by it. */
  priority: number | undefined;
  priorityClass: string | undefined;
}

const unreadable: PodPriority = Object.freeze({ priority: undefined, priorityClass: undefined });

/** Four bytes before protobuf, see k8s.io/apimachinery/pkg/runtime/serializer/protobuf. */
const protobufMagic = Buffer.from('k8s\0');

/** Field numbers of k8s.io/apimachinery/pkg/runtime.Unknown and of k8s.io/api/core/v1.Pod and PodSpec. */
const unknownRaw = 2;
const podSpec = 2;
const specPriorityClassName = 24;
const specPriority = 25;

/**
 * Reads the priority of a pod as kube-apiserver stores it: protobuf (`k8s\0` and a runtime.Unknown) or JSON. A pod without a
 * priority has 0, as for the scheduler. What is encrypted at rest (`k8s:enc:`) or damaged is unreadable, never an error.
 */
export function podPriority(value: Uint8Array): PodPriority {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  try {
    if (bytes.subarray(0, protobufMagic.length).equals(protobufMagic)) return fromProtobuf(bytes.subarray(4));
    if (bytes[0] === 0x7b) return fromJson(bytes);
  } catch {
    return unreadable;
  }
  return unreadable;
}

function fromJson(bytes: Buffer): PodPriority {
  const spec = (JSON.parse(bytes.toString('utf8')) as { spec?: Record<string, unknown> }).spec;
  if (typeof spec !== 'object' || spec === null) return unreadable;
  const { priority = 0, priorityClassName = '' } = spec;
  if (typeof priority !== 'number' || typeof priorityClassName !== 'string') return unreadable;
  return { priority, priorityClass: priorityClassName };
}

function fromProtobuf(unknown: Buffer): PodPriority {
  const pod = field(unknown, unknownRaw);
  if (!Buffer.isBuffer(pod)) return unreadable;
  const spec = field(pod, podSpec);
  if (!Buffer.isBuffer(spec)) return unreadable;
  const priority = field(spec, specPriority) ?? 0n;
  const name = field(spec, specPriorityClassName) ?? Buffer.alloc(0);
  if (typeof priority !== 'bigint' || !Buffer.isBuffer(name)) return unreadable;
  return { priority: Number(BigInt.asIntN(32, priority)), priorityClass: name.toString('utf8') };
}

/**
 * The last value of one field of a message: bytes, or a varint; undefined when it is absent.
 * @throws RangeError when the message is cut off or is no protobuf
 */
function field(message: Buffer, wanted: number): Buffer | bigint | undefined {
  let found: Buffer | bigint | undefined;
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('varint of more than 10 bytes');
  };
  const take = (length: number) => {
    if (at + length > message.length) throw new RangeError('field beyond the end');
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = varint();
    const value = wireValue(Number(tag & 7n), varint, take);
    if (tag >> 3n === BigInt(wanted)) found = value;
  }
  return found;
}

function wireValue(type: number, varint: () => bigint, take: (length: number) => Buffer): Buffer | bigint {
  switch (type) {
    case 0:
      return varint();
    case 1:
      return take(8);
    case 2:
      return take(Number(varint()));
    case 5:
      return take(4);
    default:
      throw new RangeError(`wire type ${type}`);
  }
}
