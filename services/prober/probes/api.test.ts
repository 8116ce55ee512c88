import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { judgeReadyz, probeApi, readyzUrl } from './api.ts';
import type { HttpReading } from './http.ts';
import { judgePeerApi } from './peer-api.ts';

const answer = (status: number, body = ''): HttpReading => ({ answered: true, status, body, durationMs: 1 });
const refused: HttpReading = { answered: false, timedOut: false, fault: 'ECONNREFUSED', durationMs: 1 };
const silent: HttpReading = { answered: false, timedOut: true, fault: 'timeout', durationMs: 2000 };
const notReady =
  '[+]ping ok\n[-]etcd failed: reason withheld\n[-]informer-sync failed: reason withheld\nreadyz check failed\n';

const cases: [string, HttpReading, string, string][] = [
  ['ready', answer(200, 'ok'), 'ok', ''],
  [
    'closed to anonymous callers',
    answer(401),
    'ok',
    'API answers, but takes no anonymous callers (HTTP 401)',
  ],
  [
    'starts for the first time, its roles are not written yet',
    answer(403),
    'unknown',
    'API does not say whether it is ready (HTTP 403)',
  ],
  ['not ready', answer(500, notReady), 'failed', 'API is not ready (HTTP 500: etcd, informer-sync)'],
  ['something else listens there', answer(404), 'failed', 'API is not ready (HTTP 404)'],
  ['stopped', refused, 'failed', 'API: ECONNREFUSED'],
  ['hangs', silent, 'failed', 'API does not answer'],
];

for (const [what, reading, status, reason] of cases) {
  test(`API: ${what}`, () => {
    const verdict = judgeReadyz(reading, 'API');
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
  });
}

test("the peer's API: a timeout is no failure while the peer says that it is well", () => {
  assert.is(judgePeerApi(silent, 'node-b', 'ok').status, 'warning');
  assert.is(judgePeerApi(silent, 'node-b', 'failed').status, 'failed');
  assert.is(judgePeerApi(silent, 'node-b', null).status, 'failed');
  assert.is(judgePeerApi(refused, 'node-b', 'ok').status, 'failed');
  assert.is(judgePeerApi(answer(200), 'node-b', 'failed').status, 'ok');
});

test('a server that accepts and never answers is given up in time', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const verdict = await probeApi(`http://127.0.0.1:${port}/readyz`, 100);
  assert.is(verdict.reason, 'API does not answer');
  server.closeAllConnections();
  server.close();
});

test('its checks of etcd are left out: a link that stalls is no failure of the API', () => {
  assert.is(
    readyzUrl('[fd00::1]', 6443),
    'https://[fd00::1]:6443/readyz?exclude=etcd&exclude=etcd-readiness',
  );
});

test.run();
