import { Agent, request } from 'node:https';
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
  const agent = new Agent({ keepAlive: true, maxSockets: callers, ca });
  const latenciesMs: number[] = [];
  let errors = 0;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1_000;
  const caller = async () => {
    while (performance.now() < endMs) {
      const sentMs = performance.now();
      const ok = await review(url, agent);
      if (ok) latenciesMs.push(performance.now() - sentMs);
      else errors++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const perSecond = latenciesMs.length / ((performance.now() - startMs) / 1_000);
  agent.destroy();
  return { latenciesMs: latenciesMs.sort((left, right) => left - right), errors, perSecond };
}

const body = JSON.stringify(reviewBody());

/** @returns whether it was answered, and refused as it must be in this state */
function review(url: URL, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const asked = request(url, { method: 'POST', agent, headers }, async (response) => {
      let answer = '';
      for await (const chunk of response) answer += chunk;
      resolve(response.statusCode === 200 && answer.includes('LeaderRX: node-b'));
    });
    asked.once('error', () => resolve(false));
    asked.end(body);
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
