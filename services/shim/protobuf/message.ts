import { Reader, WireError, Writer } from './wire.ts';

/**
 * How one kind of field is read and written. `empty` is its default, which is not written (proto3). Methods, not function
 * properties, so that fields of all types fit one record.
 */
interface FieldType<T> {
  wireType: 0 | 2;
  empty(): T;
  isEmpty(value: T): boolean;
  read(reader: Reader, previous: T): T;
  /** Reads a single value of a list of numbers that is not packed; absent for all other types. */
  readUnpacked?(reader: Reader, previous: T): T;
  /** Writes the field with its tag (a repeated one several times). */
  write(writer: Writer, tag: number, value: T): void;
}

export interface Field<T> {
  number: number;
  type: FieldType<T>;
}

function scalar<T>(
  wireType: 0 | 2,
  empty: T,
  isEmpty: (value: T) => boolean,
  read: (reader: Reader) => T,
  write: (writer: Writer, value: T) => void,
) {
  const type: FieldType<T> = {
    wireType,
    empty: () => empty,
    isEmpty,
    read,
    write: (writer, tag, value) => {
      writer.varint(tag);
      write(writer, value);
    },
  };
  return (number: number): Field<T> => ({ number, type });
}

const noBytes = Buffer.alloc(0);

/** A 64-bit integer that stays within 2^53: revisions, versions, counts, sizes. */
export const int64 = scalar<number>(
  0,
  0,
  (value) => value === 0,
  (reader) => reader.int64(),
  (writer, value) => writer.int64(value),
);
/** A 64-bit integer that needs all its bits: lease, member and cluster ids. */
export const id64 = scalar<bigint>(
  0,
  0n,
  (value) => value === 0n,
  (reader) => reader.int64Exact(),
  (writer, value) => writer.int64Exact(value),
);
export const bool = scalar<boolean>(
  0,
  false,
  (value) => !value,
  (reader) => reader.varint() !== 0,
  (writer, value) => writer.varint(value ? 1 : 0),
);
/** Bytes, as a view of the message. */
export const bytes = scalar<Uint8Array>(
  2,
  noBytes,
  (value) => value.length === 0,
  (reader) => reader.bytes(),
  (writer, value) => writer.bytes(value),
);
/** A key: its bytes as latin1 text, which sorts as the bytes do. */
export const key = scalar<string>(
  2,
  '',
  (value) => value === '',
  (reader) => reader.latin1(),
  (writer, value) => writer.latin1(value),
);
export const string = scalar<string>(
  2,
  '',
  (value) => value === '',
  (reader) => reader.bytes().toString('utf8'),
  (writer, value) => writer.bytes(Buffer.from(value, 'utf8')),
);

/** An enum by its numbers. */
export const enumeration = int64;

/** Any number of messages. */
export function repeated<T>(number: number, codec: Codec<T>): Field<T[]> {
  return {
    number,
    type: {
      wireType: 2,
      empty: () => [],
      isEmpty: (value) => value.length === 0,
      read: (reader, previous) => {
        previous.push(codec.read(reader));
        return previous;
      },
      write: (writer, tag, values) => {
        for (const value of values) {
          writer.varint(tag);
          writer.nested(() => codec.write(writer, value));
        }
      },
    },
  };
}

/** A message that may be absent; also a member of a oneof. */
export function optional<T>(number: number, codec: Codec<T>): Field<T | undefined> {
  return {
    number,
    type: {
      wireType: 2,
      empty: () => undefined,
      isEmpty: (value) => value === undefined,
      read: (reader) => codec.read(reader),
      write: (writer, tag, value) => {
        writer.varint(tag);
        writer.nested(() => codec.write(writer, value as T));
      },
    },
  };
}

/** Enum values or other small numbers; read packed or not, as proto3 allows. */
export function repeatedNumbers(number: number): Field<number[]> {
  return {
    number,
    type: {
      wireType: 2,
      empty: () => [],
      isEmpty: (value) => value.length === 0,
      read: (reader, previous) => {
        const packed = new Reader(reader.bytes() as Buffer);
        while (!packed.done) previous.push(packed.varint());
        return previous;
      },
      readUnpacked: (reader, previous) => {
        previous.push(reader.varint());
        return previous;
      },
      write: (writer, tag, values) => {
        writer.varint(tag);
        writer.nested(() => {
          for (const value of values) writer.varint(value);
        });
      },
    },
  };
}

/** Text values, any number; `latin1` for keys. */
export function repeatedStrings(number: number, encoding: 'utf8' | 'latin1' = 'utf8'): Field<string[]> {
  return {
    number,
    type: {
      wireType: 2,
      empty: () => [],
      isEmpty: (value) => value.length === 0,
      read: (reader, previous) => {
        previous.push(reader.bytes().toString(encoding));
        return previous;
      },
      write: (writer, tag, values) => {
        for (const value of values) {
          writer.varint(tag);
          writer.bytes(Buffer.from(value, encoding));
        }
      },
    },
  };
}

/** A message type: reads and writes its values. */
export interface Codec<T> {
  /** @throws WireError when the bytes are no such message */
  decode(bytes: Uint8Array): T;
  encode(value: Partial<T>): Buffer;
  /** Reads a length-delimited message at the reader's place. */
  read(reader: Reader): T;
  /** Writes the fields without a length before them. */
  write(writer: Writer, value: Partial<T>): void;
  /** Its fields by name, for the test against the .proto files. */
  readonly fields: Readonly<Record<string, Field<unknown>>>;
}

/** The type of a codec's values. */
export type Infer<C> = C extends Codec<infer T> ? T : never;

type Values<F> = { -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** Defines a message type by its fields. Fields that are not known are passed over, absent ones have their default. */
export function message<F extends Record<string, Field<unknown>>>(fields: F): Codec<Values<F>> {
  type T = Values<F>;
  const names = Object.keys(fields);
  const types: Record<string, Field<unknown>> = fields;
  const byNumber: ({ name: string; type: FieldType<unknown> } | undefined)[] = [];
  for (const name of names) {
    const field = types[name] as Field<unknown>;
    byNumber[field.number] = { name, type: field.type };
  }

  // All values of a type come from one literal, so that they have one shape; a list is each value's own.
  const defaults: Record<string, unknown> = {};
  for (const name of names) defaults[name] = (types[name] as Field<unknown>).type.empty();
  const lists = names.filter((name) => Array.isArray(defaults[name]));

  const readFields = (reader: Reader, end: number): T => {
    const value = { ...defaults };
    for (const name of lists) value[name] = [];
    while (reader.offset < end) {
      const tag = reader.varint();
      const wireType = tag & 7;
      if (tag < 8) throw new WireError(`proto: illegal tag 0 (wire type ${tag})`);
      const field = byNumber[Math.floor(tag / 8)];
      if (!field) reader.skip(wireType);
      else if (field.type.wireType === wireType)
        value[field.name] = field.type.read(reader, value[field.name]);
      else if (wireType === 0 && field.type.readUnpacked)
        value[field.name] = field.type.readUnpacked(reader, value[field.name]);
      else throw new WireError(`proto: wrong wireType = ${wireType} for field ${goName(field.name)}`);
    }
    return value as T;
  };

  const codec: Codec<T> = {
    fields: types,
    decode: (input) => {
      const buffer = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
      return readFields(new Reader(buffer), buffer.length);
    },
    read: (reader) => {
      const length = reader.varint();
      const outerEnd = reader.end;
      const end = reader.offset + length;
      if (end > outerEnd) throw new WireError('unexpected EOF');
      reader.end = end;
      const value = readFields(reader, end);
      reader.end = outerEnd;
      return value;
    },
    write: (writer, value) => {
      for (const name of names) {
        const field = types[name] as Field<unknown>;
        const part = (value as Record<string, unknown>)[name];
        if (part === undefined || field.type.isEmpty(part)) continue;
        field.type.write(writer, field.number * 8 + field.type.wireType, part);
      }
    },
    encode: (value) => {
      const writer = new Writer();
      codec.write(writer, value);
      return writer.finish();
    },
  };
  return codec;
}

/** A field's name as it stands in the texts of etcd's errors: `rangeEnd` is `RangeEnd` in Go. */
function goName(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
