import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { judgeDatastore } from './datastore.ts';
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
    { answered: false, timedOut: true, fault: 'ABORT_ERR', durationMs: 1 },
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

test.run();
