import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { probesSchema } from '../../../shared/config/probes.ts';
import { type IcmpReading, judgeIcmp } from './icmp.ts';
import { judgeTcp, probeTcp } from './tcp.ts';
import { probeTestPoint } from './test-point.ts';

const echo: IcmpReading = { address: '10.0.0.254', alive: true, rttMs: 0.3, output: '', installed: true };

const cases: [string, Partial<IcmpReading>, string, string][] = [
  ['an answer', {}, 'ok', ''],
  [
    'no answer',
    { alive: false, output: '5 packets transmitted, 0 received, 100% packet loss' },
    'failed',
    'gateway 10.0.0.254: no ICMP echo reply',
  ],
  [
    'no right to send',
    {
      alive: false,
      output: 'ping: socktype: SOCK_RAW\nping: => missing cap_net_raw+p capability or setuid?',
    },
    'unknown',
    'gateway 10.0.0.254: not asked, this lacks CAP_NET_RAW, or a group within net.ipv4.ping_group_range, for the program "ping"',
  ],
  [
    'no program',
    { alive: false, installed: false },
    'unknown',
    'gateway 10.0.0.254: the program "ping" is not installed (package iputils-ping)',
  ],
];

for (const [what, change, status, reason] of cases) {
  test(`ICMP: ${what}`, () => {
    const verdict = judgeIcmp({ ...echo, ...change }, 'gateway 10.0.0.254');
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
  });
}

test('TCP: what the reason says', () => {
  const reading = { address: '10.0.0.1', port: 53, connectMs: null };
  assert.is(judgeTcp({ ...reading, fault: 'timeout' }, 'wan').reason, 'wan: TCP port 53 does not answer');
  assert.is(judgeTcp({ ...reading, fault: 'EHOSTUNREACH' }, 'wan').reason, 'wan: TCP port 53 (EHOSTUNREACH)');
});

test('TCP: open, then closed', async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  assert.is((await probeTcp('127.0.0.1', port, 1_000, 'wan')).status, 'ok');
  server.close();
  await once(server, 'close');
  assert.is((await probeTcp('127.0.0.1', port, 1_000, 'wan')).reason, `wan: TCP port ${port} (ECONNREFUSED)`);
});

test('a test point without an address is the gateway of the default route', async () => {
  const [point] = probesSchema.parse({
    northSouth: [{ name: 'gateway', method: 'tcp', port: 1 }],
  }).northSouth;
  assert.ok(point);
  const ask = (address: string, label: string) => probeTcp(address, 1, 1_000, label);
  const none = await probeTestPoint(point, ask, () => null);
  assert.is(none.reason, 'gateway: there is no default route');
  const refused = await probeTestPoint(point, ask, () => '127.0.0.1');
  assert.is(refused.reason, 'gateway 127.0.0.1: TCP port 1 (ECONNREFUSED)');
});

test('method tcp without a port is refused', () => {
  const parsed = probesSchema.safeParse({
    northSouth: [{ name: 'wan', address: '192.0.2.1', method: 'tcp' }],
  });
  assert.is(parsed.error?.issues[0]?.message, 'expected a port for method tcp');
});

const refusedPoints: [string, object[], string][] = [
  ['none at all', [], 'expected at least one test point'],
  [
    'none that is fatal',
    [
      { name: 'gateway', severity: 'off' },
      { name: 'wan', address: '192.0.2.1', severity: 'warning' },
    ],
    'expected a test point with severity fatal',
  ],
  [
    'two of one name',
    [{ name: 'gateway' }, { name: 'gateway', address: '10.0.0.1' }],
    'expected a different name',
  ],
];

for (const [what, northSouth, message] of refusedPoints) {
  test(`test points are refused: ${what}`, () => {
    const issue = probesSchema.safeParse({ northSouth }).error?.issues[0];
    assert.ok(issue?.message.startsWith(message), issue?.message);
  });
}

test.run();
