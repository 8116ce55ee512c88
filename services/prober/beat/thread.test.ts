import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LinkVerdict } from './link.ts';
import type { BeatThreadData } from './protocol.ts';
import { startBeatThread } from './thread.ts';

/** Real threads, and real datagrams on loopback. */

const settings = { interval: 40, suspectAfter: 300, downAfter: 800, upWindow: 2_000 };

function dataOf(self: string, peer: string, port: number, peerPort: number): BeatThreadData {
  return {
    identity: {
      self,
      peer,
      bootId: `boot-${self}`,
      run: `run-${self}`,
      secret: 'c'.repeat(64),
      configDigest: '0123456789ab',
      role: 'leader',
      cluster: 'edge-1',
      settings,
    },
    bind: { address: '127.0.0.1', port },
    peer: { address: '127.0.0.1', port: peerPort },
    resumed: false,
  };
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

function ended(error: Error): void {
  throw error;
}

/** Lets this thread, which is the main thread of both, do nothing else. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('a main thread that hangs for seconds delays no beat and no verdict', async () => {
  const ports = [await freePort(), await freePort()] as const;
  const verdicts: LinkVerdict[] = [];
  const start = (data: BeatThreadData) =>
    startBeatThread(data, {
      onVerdict: (verdict) => verdicts.push(verdict),
      onSocket: () => {},
      onDeath: ended,
    });
  const threads = [
    start(dataOf('node-a', 'node-b', ports[0], ports[1])),
    start(dataOf('node-b', 'node-a', ports[1], ports[0])),
  ];
  while (verdicts.filter(({ status }) => status === 'ok').length < 4) await delay(50);
  verdicts.length = 0;
  block(3 * settings.downAfter);
  await delay(settings.downAfter);
  assert.ok(verdicts.length >= 4, `${verdicts.length} verdicts`);
  for (const { status } of verdicts) assert.is(status, 'ok');
  await Promise.all(threads.map((thread) => thread.farewell(1_000)));
});

/** The first fault that the thread reports of its socket, in a process with or without its capabilities. */
async function socketFault(data: BeatThreadData, prefix: string[]): Promise<string> {
  const thread = new URL('./thread.js', import.meta.url);
  const script = `
    import { startBeatThread } from ${JSON.stringify(thread.href)};
    const onSocket = (fault) => process.stdout.write(String(fault), () => process.exit());
    startBeatThread(${JSON.stringify(data)}, { onVerdict() {}, onSocket, onDeath() {} });`;
  const [command = '', ...args] = [...prefix, process.execPath, '--input-type=module', '-e', script];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let fault = '';
  for await (const chunk of child.stdout) fault += chunk;
  return fault;
}

test('an address that is not on this machine is named', async () => {
  const data = dataOf('node-a', 'node-b', 7423, 7423);
  data.bind.address = '192.0.2.1';
  assert.is(await socketFault(data, []), '192.0.2.1 port 7423: EADDRNOTAVAIL');
});

const lowestFreePort = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
const privileged = lowestFreePort > 1_023 ? test : test.skip;

privileged('the capability that a port below 1024 needs is named', async () => {
  const drop =
    process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', '--'] : [];
  const fault = await socketFault(dataOf('node-a', 'node-b', 1_023, 1_023), drop);
  assert.is(fault, '127.0.0.1 port 1023: EACCES, ports below 1024 need CAP_NET_BIND_SERVICE');
});

test.run();
