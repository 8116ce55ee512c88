import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LossyRelay } from './lossy-relay.ts';
import { ProberPair } from './prober-pair.ts';

/**
 * Two real probers with 30 % loss each way between them, in real time: no false alarm. Short here; ten minutes with
 * TWONODE_SOAK_SECONDS=600.
 */
const soakSeconds = Number(process.env.TWONODE_SOAK_SECONDS ?? 20);
const place = { bind: '127.0.0.1', address: '127.0.0.2' };

test(`30 % loss each way for ${soakSeconds} s raises no false alarm`, async () => {
  const gateway = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const pair = await ProberPair.start((gateway.address() as { port: number }).port, place);
  const relays = pair.beatPorts.map(
    (port) => new LossyRelay(place.address, place.bind, port, 0.3, Math.random),
  );
  try {
    await Promise.all(relays.map((relay) => relay.listening()));
    const heard = Promise.all([
      pair.signals.status('node-a', 'eastwest.beat', 'ok'),
      pair.signals.status('node-b', 'eastwest.beat', 'ok'),
    ]);
    pair.startProber('node-a');
    pair.startProber('node-b');
    await heard;
    const from = pair.signals.all.length;
    await delay(soakSeconds * 1_000);
    const beats = pair.signals.all.slice(from).filter(({ signal }) => signal.check === 'beat');
    console.log(relays.map(({ passed, lost }) => `${passed} passed, ${lost} lost`).join('; '));
    assert.ok(beats.length >= soakSeconds * 2 * 0.8, `${beats.length} signals`);
    assert.equal(
      beats.filter(({ signal }) => signal.status !== 'ok').map(({ signal }) => signal),
      [],
    );
  } finally {
    await pair.close();
    for (const relay of relays) relay.close();
    gateway.close();
  }
});

test.run();
