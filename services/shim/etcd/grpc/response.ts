import { constants, type ServerHttp2Stream } from 'node:http2';
import type { LargeMessage } from '../transport.ts';
import { frame, framePrefix } from './framing.ts';
import { encodeStatusMessage, type Status, status } from './status.ts';

const headers = { ':status': 200, 'content-type': 'application/grpc' };
/** A client that compresses its messages is told with the refusal that none may be. */
const refusalHeaders = { ...headers, 'grpc-accept-encoding': 'identity' };
const withTrailers = { waitForTrailers: true, sendDate: false };
const withoutMore = { endStream: true, sendDate: false };
const okTrailers = { 'grpc-status': String(status.OK) };
/** Up to this size a message is copied behind its prefix, which costs less than a second write. In bytes. */
const copiedBytesMax = 16 * 1024;

/** A call's outcome, as its client is told. */
export interface Outcome {
  code: Status;
  text: string;
}

/** Sends the headers of a call that has an answer; its outcome follows behind the last message. */
export function sendHeaders(stream: ServerHttp2Stream): void {
  stream.respond(headers, withTrailers);
}

/** What is listened for when the message is on its way. */
function sendOk(this: ServerHttp2Stream): void {
  sendTrailers(this, okTrailers);
}

/** Answers a call with its one message and the outcome OK. */
export function answer(stream: ServerHttp2Stream, message: Uint8Array | LargeMessage): void {
  stream.respond(headers, withTrailers);
  stream.on('wantTrailers', sendOk);
  if (!(message instanceof Uint8Array)) {
    sendPieces(stream, message);
    return;
  }
  if (message.length <= copiedBytesMax) {
    stream.end(frame(message));
    return;
  }
  writeMessage(stream, message);
  stream.end();
}

/** Writes one message. `sent` is called when the connection has taken it. */
export function writeMessage(stream: ServerHttp2Stream, message: Uint8Array, sent?: () => void): void {
  if (message.length <= copiedBytesMax) {
    stream.write(frame(message), sent);
    return;
  }
  stream.cork();
  stream.write(framePrefix(message.length));
  stream.write(message, sent);
  stream.uncork();
}

/** Takes the next piece when the connection has taken what was sent before; a client that has gone takes none. */
function sendPieces(stream: ServerHttp2Stream, message: LargeMessage): void {
  const pieces = message.pieces[Symbol.iterator]();
  const sendMore = () => {
    for (let piece = pieces.next(); !piece.done; piece = pieces.next())
      if (!stream.write(piece.value)) return;
    stream.off('drain', sendMore);
    stream.end();
  };
  stream.on('drain', sendMore);
  stream.cork();
  stream.write(framePrefix(message.length));
  sendMore();
  stream.uncork();
}

/** Sends an outcome behind the messages, and lets the client send no more. */
export function endWith(stream: ServerHttp2Stream, outcome: Outcome): void {
  stream.on('wantTrailers', () => {
    sendTrailers(stream, trailersOf(outcome));
  });
  stream.end();
}

function sendTrailers(stream: ServerHttp2Stream, trailers: Record<string, string>): void {
  stream.sendTrailers(trailers);
  // Node sends them in the next turn; a reset must come behind them.
  if (!stream.readableEnded) setImmediate(stopReading, stream);
}

function trailersOf({ code, text }: Outcome): Record<string, string> {
  return { 'grpc-status': String(code), 'grpc-message': encodeStatusMessage(text) };
}

/** Answers with nothing but an outcome, and lets the client send no more. */
export function refuse(stream: ServerHttp2Stream, outcome: Outcome): void {
  stream.respond({ ...refusalHeaders, ...trailersOf(outcome) }, withoutMore);
  stopReading(stream);
}

/** Answers what is no gRPC request with an HTTP status. */
export function refuseHttp(stream: ServerHttp2Stream, httpStatus: number): void {
  stream.respond({ ':status': httpStatus }, withoutMore);
  stopReading(stream);
}

/** Tells a client that may still be sending that nobody listens (RFC 9113 section 8.1). */
function stopReading(stream: ServerHttp2Stream): void {
  stream.removeAllListeners('data');
  stream.resume();
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}
