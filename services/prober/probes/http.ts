import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';
import { createSecureContext } from 'node:tls';

/** What an HTTP GET answered, or why there was no answer. */
export type HttpReading =
  | { answered: true; status: number; body: string; durationMs: number }
  | { answered: false; timedOut: boolean; fault: string; durationMs: number };

/** Longest part of a body that is read; what follows is dropped. */
const bodyLimit = 16 * 1024;

const plain = new HttpAgent({ keepAlive: true, maxSockets: 2 });
// The probe asks whether the server lives, and sends it nothing secret: any certificate will do.
// One TLS context for all: making one takes longer than a whole check.
const secureContext = createSecureContext();
const tls = new HttpsAgent({ keepAlive: true, maxSockets: 2, rejectUnauthorized: false, secureContext });

/**
 * GETs a URL over a connection that is kept, and reads at most 16 KiB of the answer. Never throws.
 * @param timeoutMs limit from the call to the end of the answer
 */
export function readHttp(url: string, timeoutMs: number): Promise<HttpReading> {
  const started = performance.now();
  const durationMs = () => performance.now() - started;
  return new Promise((resolve) => {
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      request.destroy(new Error('timeout'));
    }, timeoutMs);
    const unanswered = (error: Error) => {
      clearTimeout(limit);
      const fault = (error as NodeJS.ErrnoException).code ?? error.message;
      resolve({ answered: false, timedOut, fault, durationMs: durationMs() });
    };
    const onResponse = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('error', unanswered);
      response.on('data', (chunk: Buffer) => {
        if (size < bodyLimit) chunks.push(chunk);
        size += chunk.length;
      });
      response.on('end', () => {
        clearTimeout(limit);
        const body = Buffer.concat(chunks).toString('utf8', 0, bodyLimit);
        resolve({ answered: true, status: response.statusCode ?? 0, body, durationMs: durationMs() });
      });
    };
    const request = url.startsWith('https:')
      ? httpsGet(url, { agent: tls }, onResponse)
      : httpGet(url, { agent: plain }, onResponse);
    request.on('error', unanswered);
  });
}
