/** gRPC's status codes (grpc/doc/statuscodes.md). */
export const status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Status = (typeof status)[keyof typeof status];

/** Longer texts are cut: a client may drop the connection over a header block that is too large. In bytes, encoded. */
const messageBytesMax = 4096;

/** Bytes that stand as they are in `grpc-message`: printable ASCII but for the percent sign (grpc/doc/PROTOCOL-HTTP2.md). */
const plain = /^[ -$&-~]*$/;

/** A text as `grpc-message`: percent-encoded. */
export function encodeStatusMessage(text: string): string {
  if (text.length <= messageBytesMax && plain.test(text)) return text;
  let encoded = '';
  for (const character of text) {
    const part = plain.test(character) ? character : percentEncode(character);
    if (encoded.length + part.length > messageBytesMax) break;
    encoded += part;
  }
  return encoded;
}

function percentEncode(character: string): string {
  const bytes = [...Buffer.from(character, 'utf8')];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
