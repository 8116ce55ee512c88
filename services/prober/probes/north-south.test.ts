import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type IcmpReading, judgeIcmp } from './icmp.ts';
import { judgeTcp, probeTcp } from './tcp.ts';

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
    'gateway 10.0.0.254: "ping" lacks CAP_NET_RAW (or net.ipv4.ping_group_range)',
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

test.run();
