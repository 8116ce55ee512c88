import type { ChildProcess } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findBinary } from '../../../shared/binaries/find.ts';
import { startServerPair } from '../../../shared/nats-server/testing.ts';
import { spawnTethered } from '../../../shared/process/spawn-tethered.ts';
import { eventually } from '../../../test/eventually.ts';
import { judgeDatastore, probeDatastore } from './datastore.ts';
import type { HttpReading } from './http.ts';

const cases: [string, HttpReading, string, string][] = [
  ['well', { answered: true, status: 200, body: '{"status":"ok"}', durationMs: 1 }, 'ok', ''],
  [
    'JetStream off after a full disk',
    {
      answered: true,
      status: 503,
      body: '{"status":"unavailable","status_code":503,"error":"JetStream not enabled"}',
      durationMs: 1,
    },
    'failed',
    'nats-server is not healthy: JetStream not enabled',
  ],
  [
    'no JSON',
    { answered: true, status: 502, body: '<html>', durationMs: 1 },
    'failed',
    'nats-server is not healthy: HTTP 502',
  ],
  [
    'stopped',
    { answered: false, timedOut: false, fault: 'ECONNREFUSED', durationMs: 1 },
    'failed',
    'nats-server: ECONNREFUSED',
  ],
  [
    'paused',
    { answered: false, timedOut: true, fault: 'timeout', durationMs: 1 },
    'failed',
    'nats-server does not answer',
  ],
];

for (const [what, reading, status, reason] of cases) {
  test(`datastore: ${what}`, () => {
    const verdict = judgeDatastore(reading);
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
  });
}

test('a real nats-server is well until a stream of its store cannot be read', async () => {
  const pair = await startServerPair();
  let server: ChildProcess | undefined;
  try {
    const monitoring = pair.config.nodes[0]?.ports.monitoring ?? 0;
    const bus = await pair.connect('node-a', 'services');
    await (await bus.jetstreamManager()).streams.add({ name: 'LOG', subjects: ['log.records'] });
    assert.equal(await probeDatastore(monitoring, 2_000), {
      status: 'ok',
      reason: '',
      value: { http_status: 200, nats_status: 'ok' },
    });
    await pair.leader.stop();
    const folder = join(pair.folder, 'node-a', 'nats');
    damageStream(folder, 'LOG');
    server = spawnTethered(await findBinary('nats-server'), ['--config', join(folder, 'nats-server.conf')], {
      deathSignal: 'KILL',
      stdio: 'ignore',
    });
    const unreadable = /^nats-server is not healthy: JetStream stream '.* > LOG' could not be recovered$/;
    const verdict = await eventually(
      () => probeDatastore(monitoring, 2_000),
      ({ reason }) => unreadable.test(reason),
    );
    assert.is(verdict.status, 'failed');
  } finally {
    server?.kill('SIGKILL');
    await pair.stop();
  }
});

/** What describes the stream is not what nats-server wrote there. */
function damageStream(store: string, stream: string): void {
  const description = (readdirSync(store, { recursive: true }) as string[]).find((name) =>
    name.endsWith(join(stream, 'meta.inf')),
  );
  assert.ok(description);
  writeFileSync(join(store, description ?? ''), '{}');
}

test.run();
