import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';

const callLimitMs = 10_000;

/** An object as far as the informer looks at it. */
export interface KubeObject {
  metadata: { name: string; resourceVersion: string };
}

export interface KubeAnswer {
  status: number;
  body: unknown;
}

/** An event of a watch. `ERROR` has a Status as its object. */
export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: KubeObject;
}

/** How to reach the kube-apiserver of the own node. */
export interface KubeAccess {
  url: string;
  /** Path of the CA certificate. */
  ca: string;
  token: string;
}

/** Bare calls of the Kubernetes API: no client library, which would hide when it lists anew. */
export class KubeClient {
  readonly #access: KubeAccess;
  readonly #agent: Agent;

  constructor(access: KubeAccess) {
    this.#access = access;
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(access.ca) });
  }

  /** @throws Error when there is no answer within 10 s */
  async call(
    method: string,
    path: string,
    body?: object,
    contentType = 'application/json',
    accept = 'application/json',
  ): Promise<KubeAnswer> {
    const response = await this.#send(method, path, body, contentType, accept);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    // A path that is not served is answered in plain text.
    const isJson = response.headers['content-type']?.startsWith('application/json') === true;
    return { status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : null };
  }

  /** Events until the watch ends. @throws WatchRefused, or another Error when the connection fails */
  async *watch(path: string): AsyncGenerator<WatchEvent> {
    const response = await this.#send('GET', path);
    if (response.statusCode !== 200) {
      response.resume();
      throw new WatchRefused(response.statusCode ?? 0);
    }
    for await (const line of createInterface({ input: response })) yield JSON.parse(line);
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(
    method: string,
    path: string,
    body?: object,
    contentType = 'application/json',
    accept = 'application/json',
  ) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const authorization = `Bearer ${this.#access.token}`;
      const headers = { authorization, 'content-type': contentType, accept };
      const asked = request(
        new URL(path, this.#access.url),
        { method, headers, agent: this.#agent },
        resolve,
      );
      const limit = setTimeout(() => asked.destroy(new Error('no answer')), callLimitMs);
      asked.once('response', () => clearTimeout(limit));
      asked.once('error', (error) => {
        clearTimeout(limit);
        reject(error);
      });
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

/** The apiserver answered a watch with another status than 200. */
export class WatchRefused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`the watch got ${status}`);
    this.status = status;
  }
}
