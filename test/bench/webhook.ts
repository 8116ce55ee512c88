import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { validatePath } from '../../services/webhook/app.ts';
import { reviewBody, stateMessage } from '../../services/webhook/testing/reviews.ts';
import { type GuardedApiserver, node, startGuardedApiserver } from '../e2e/guarded-apiserver.ts';

// How long a review takes, and what it costs a kube-apiserver: node dist/test/bench/webhook.js
// The webhook, its nats-server, kube-apiserver and etcd are processes of their own; the callers are in this one.

const secondsEach = 5;
const warmUpSeconds = 2;
const writes = 500;

interface Round {
  latenciesMs: number[];
  errors: number;
  perSecond: number;
}

/** Each caller asks again as soon as it has its answer, on a connection of its own. */
async function load(url: URL, ca: string, callers: number, seconds: number): Promise<Round> {
  const sockets = await Promise.all(Array.from({ length: callers }, () => connected(url, ca)));
  const latenciesMs: number[] = [];
  let errors = 0;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  const caller = async (socket: TLSSocket) => {
    while (performance.now() < endMs) {
      const sentMs = performance.now();
      if (await refusedOn(socket)) latenciesMs.push(performance.now() - sentMs);
      else errors++;
    }
  };
  await Promise.all(sockets.map(caller));
  const perSecond = latenciesMs.length / ((performance.now() - startMs) / 1_000);
  for (const socket of sockets) socket.destroy();
  return { latenciesMs: latenciesMs.sort((left, right) => left - right), errors, perSecond };
}

async function connected(url: URL, ca: string): Promise<TLSSocket> {
  const socket = connect({ host: url.hostname, port: Number(url.port), ca });
  await once(socket, 'secureConnect');
  return socket;
}

const body = JSON.stringify(reviewBody());
/** As kube-apiserver sends it, ready to be written: node's own HTTP client would cost more than what is measured. */
const reviewRequest = Buffer.from(
  `POST ${validatePath} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
);

/** @returns whether a review was answered, and refused as it must be in this state */
function refusedOn(socket: TLSSocket): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    const done = (refused: boolean) => {
      socket.off('data', collect).off('close', lost);
      resolve(refused);
    };
    const lost = () => done(false);
    const collect = (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      const end = answer.indexOf('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(answer)?.[1];
      if (end < 0 || answer.length < end + 4 + Number(length)) return;
      done(answer.startsWith('HTTP/1.1 200') && answer.includes('LeaderRX: node-b'));
    };
    socket.on('data', collect).once('close', lost);
    socket.write(reviewRequest);
  });
}

function report(title: string, { latenciesMs, errors, perSecond }: Round): void {
  const at = (share: number) => (latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0).toFixed(2);
  console.log(
    `${title}: ${perSecond.toFixed(0)} reviews/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${errors} errors`,
  );
}

/** What kube-apiserver itself counted. @returns the sum of the samples whose name and labels match */
function sumOf(metrics: string, sample: RegExp): number {
  return metrics
    .split('\n')
    .filter((line) => sample.test(line))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function share({ kubectl, tell }: GuardedApiserver): Promise<void> {
  await tell(stateMessage({ state: 'Follower', reason: null, text: '', ttl_ms: 60_000 }));
  const items = Array.from({ length: writes }, (_, index) => {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${index}` }, data: { a: 'b' } };
  });
  const list = { apiVersion: 'v1', kind: 'List', items };
  const { status, output } = await kubectl(['create', '-f', '-'], JSON.stringify(list));
  if (status !== 0) throw new Error(output.slice(0, 300));
  const metrics = (await kubectl(['get', '--raw', '/metrics'])).output;
  const reviews =
    /^apiserver_admission_webhook_admission_duration_seconds_(sum|count)\{name="state.twonode.dev",.*operation="CREATE"/;
  const requests = /^apiserver_request_duration_seconds_(sum|count)\{.*resource="configmaps",.*verb="POST"/;
  const mean = (samples: RegExp) => {
    const of = (part: string) => sumOf(metrics, new RegExp(samples.source.replace('(sum|count)', part)));
    return (of('sum') / of('count')) * 1_000;
  };
  const [reviewMs, requestMs] = [mean(reviews), mean(requests)];
  console.log(
    `kube-apiserver: a create takes ${requestMs.toFixed(2)} ms, the review in it ${reviewMs.toFixed(2)} ms ` +
      `(${((reviewMs / requestMs) * 100).toFixed(0)} %)`,
  );
}

const apiserver = await startGuardedApiserver();
try {
  const { url, ca } = apiserver.webhook;
  await apiserver.tell(stateMessage({ node, ttl_ms: 60_000 }));
  await load(url, ca, 1, warmUpSeconds);
  for (const callers of [1, 100]) {
    report(`${callers} caller${callers > 1 ? 's' : ''}`, await load(url, ca, callers, secondsEach));
  }
  await share(apiserver);
} finally {
  await apiserver.stop();
}
