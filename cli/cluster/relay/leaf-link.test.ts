import type { Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ServerPair, startServerPair } from '../../../shared/nats-server/testing.ts';
import { createLink, type SwitchedLink } from './link.ts';
import { relayTcp } from './tcp.ts';

interface Context {
  pair: ServerPair;
  link: SwitchedLink;
  relay: Server;
  a: NatsConnection;
  b: NatsConnection;
}
const test = suite<Context>('leaf link through the relay');

test.before(async (context) => {
  context.pair = await startServerPair('127.0.1.1');
  context.link = createLink();
  const port = context.pair.config.nodes[0]?.ports.leaf ?? 0;
  context.relay = await relayTcp(
    { protocol: 'tcp', from: { host: '127.0.1.1', port }, to: { host: '127.0.0.1', port } },
    context.link,
  );
  context.a = await context.pair.connect('node-a', 'services');
  context.b = await context.pair.connect('node-b', 'services');
  context.a.subscribe('twonode.rpc.node-a.ping', { callback: (_error, message) => message.respond() });
});
test.after(async (context) => {
  await context.pair.stop();
  context.relay.close();
});

/** Waits for at most 10 s until the leader's shim answers the follower. Returns how long that took. */
async function answered({ b }: Context): Promise<number> {
  const startedMs = Date.now();
  while (Date.now() - startedMs < 10_000) {
    const ok = await b.request('twonode.rpc.node-a.ping', '', { timeout: 200 }).then(
      () => true,
      () => false,
    );
    if (ok) return Date.now() - startedMs;
    await delay(10);
  }
  throw new Error('the link did not come up');
}

async function leafs({ pair }: Context, index: number): Promise<number> {
  const port = pair.config.nodes[index]?.ports.monitoring;
  const answer = (await (await fetch(`http://127.0.0.1:${port}/leafz`)).json()) as { leafnodes: number };
  return answer.leafnodes;
}

test('both servers find a silent cut in about a second, and meet again soon after healing', async (context) => {
  await answered(context);
  for (let round = 0; round < 3; round++) {
    context.link.set(true);
    const cutMs = Date.now();
    while ((await leafs(context, 0)) + (await leafs(context, 1)) > 0 && Date.now() - cutMs < 5_000)
      await delay(10);
    assert.ok(Date.now() - cutMs < 2_000, `the cut was found after ${Date.now() - cutMs} ms`);
    context.link.set(false);
    const healedMs = await answered(context);
    assert.ok(healedMs < 3_000, `the link was back after ${healedMs} ms`);
  }
});

test.run();
