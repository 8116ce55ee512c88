import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BeatValue, beatValueSchema } from '../../shared/beat-value.ts';
import type { StateMessage } from '../../shared/messages.ts';
import { subjects } from '../../shared/subjects.ts';
import { loopback4, loopback6, type Place, ProberPair } from './prober-pair.ts';

/** Two real probers, UDP between them, a real nats-server. */

async function listen(port = 0): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

async function withPair(place: Place, body: (pair: ProberPair, gateway: Server) => Promise<void>) {
  const gateway = await listen();
  const pair = await ProberPair.start(portOf(gateway), place);
  try {
    await startBoth(pair);
    await body(pair, gateway);
  } finally {
    await pair.close();
    gateway.close();
  }
}

/** Two Node processes start, on a machine that may be busy: how long that takes is not what is looked at. */
const startLimitMs = 60_000;

async function startBoth(pair: ProberPair): Promise<void> {
  const heard = Promise.all([
    pair.signals.status('node-a', 'eastwest.beat', 'ok', startLimitMs),
    pair.signals.status('node-b', 'eastwest.beat', 'ok', startLimitMs),
    pair.signals.status('node-a', 'northsouth.gateway', 'ok', startLimitMs),
  ]);
  pair.startProber('node-a');
  pair.startProber('node-b');
  await heard;
}

const leaderState: StateMessage = {
  v: 1,
  node: 'node-a',
  role: 'leader',
  state: 'Leader',
  since: '2026-01-01T00:00:00.000Z',
  reason: null,
  text: '',
  warnings: [],
  epoch: 7,
  revision: 12,
  conflicts: 0,
  peer: { node: 'node-b', state: null, reason: null, heard: true, age_ms: null },
  seq: 1,
  ttl_ms: 60_000,
};

test('a killed prober is down within a second, and up again when it is back', () =>
  withPair(loopback4, async (pair) => {
    const down = pair.signals.status('node-a', 'eastwest.beat', 'failed');
    await pair.stop('node-b', 'SIGKILL');
    const killed = performance.now();
    const signal = await down;
    const silence = performance.now() - killed;
    console.log(`silence to verdict: ${Math.round(silence)} ms`);
    assert.ok(silence < 1_000, `${silence} ms`);
    assert.is(signal.reason, 'no beat of node-b');
    const up = pair.signals.status('node-a', 'eastwest.beat', 'ok');
    pair.startProber('node-b');
    await up;
  }));

test('over IPv6 they hear each other too', () => withPair(loopback6, async () => {}));

test('the state of the peer travels in the beats, and a stop announces a restart', () =>
  withPair(loopback4, async (pair) => {
    const said = pair.signals.next('the state of node-a at node-b', ({ node, check, value }) => {
      const beat = beatValueSchema.parse(value);
      return node === 'node-b' && check === 'beat' && beat.peer_state === 'Leader' && beat.peer_epoch === 7;
    });
    pair.bus.publish(subjects.state('node-a'), JSON.stringify(leaderState));
    await said;
    const announced = pair.signals.next('the restart of node-a', ({ node, check, value }) => {
      const beat = beatValueSchema.parse(value);
      return node === 'node-b' && check === 'beat' && (beat.peer_restarting_ms ?? 0) > 5_000;
    });
    await pair.stop('node-a', 'SIGTERM');
    await announced;
  }));

test('a stop after "twonode leave" is for long, and only that one', () =>
  withPair(loopback4, async (pair) => {
    const told = (what: string, isSo: (value: BeatValue) => boolean) =>
      pair.signals.next(`${what} of node-a`, ({ node, check, value }) => {
        return node === 'node-b' && check === 'beat' && isSo(beatValueSchema.parse(value));
      });
    await leave(pair);
    const left = told('the leaving', ({ peer_leaving }) => peer_leaving);
    await pair.stop('node-a', 'SIGTERM');
    await left;
    const back = told('the return', ({ peer_leaving }) => !peer_leaving);
    pair.startProber('node-a');
    await back;
    const restarts = told('the restart', ({ peer_restarting_ms }) => (peer_restarting_ms ?? 0) > 5_000);
    await pair.stop('node-a', 'SIGTERM');
    await restarts;
  }));

/** The arguments of Node that run a command of `twonode` for node-a. */
function commandOf(pair: ProberPair, name: string, ...flags: string[]): string[] {
  const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
  return [program, name, '--config', join(pair.folder, 'twonode.yaml'), '--node', 'node-a', ...flags];
}

async function leave(pair: ProberPair): Promise<void> {
  const { stdout } = await promisify(execFile)(process.execPath, commandOf(pair, 'leave'));
  assert.is(stdout, 'stop node-a now: node-b will not wait for it to come back\n');
}

test('a closed test point fails, and is ok again when it is open', () =>
  withPair(loopback4, async (pair, gateway) => {
    const port = portOf(gateway);
    const failed = pair.signals.status('node-a', 'northsouth.gateway', 'failed');
    gateway.close();
    const signal = await failed;
    assert.is(signal.reason, `gateway 127.0.0.1: TCP port ${port} (ECONNREFUSED)`);
    const ok = pair.signals.status('node-a', 'northsouth.gateway', 'ok');
    const again = await listen(port);
    await ok;
    again.close();
  }));

test('while nats-server is away it goes on measuring, and then publishes what is true', () =>
  withPair(loopback4, async (pair, gateway) => {
    await pair.stop('nats-server', 'SIGKILL');
    gateway.close();
    await once(gateway, 'close');
    const published = pair.signals.status('node-a', 'northsouth.gateway', 'failed');
    await pair.startNats();
    await published;
  }));

test('what it prints in quiet is at most five lines a second', () =>
  withPair(loopback4, async (pair) => {
    const { all } = pair.signals;
    await pair.signals.next('the 12th signal', () => all.length >= 12);
    const first = all.length;
    await pair.signals.next('25 more', () => all.length >= first + 25, 15_000);
    const from = all[first - 1];
    const to = all[first + 24];
    assert.ok(from && to);
    const seconds = (to.atMs - from.atMs) / 1000;
    console.log(`25 lines in ${seconds.toFixed(1)} s`);
    assert.ok(seconds > 4.5, `${seconds} s`);
  }));

test('the status endpoint has every signal', () =>
  withPair(loopback4, async (pair) => {
    const answer = await pair.bus.request(subjects.status('node-a', 'prober'), '', { timeout: 2_000 });
    const { signals } = answer.json() as { signals: { area: string; check: string }[] };
    const keys = signals.map(({ area, check }) => `${area}.${check}`).sort();
    assert.equal(keys, [
      'eastwest.beat',
      'local.cpu',
      'local.memory',
      'local.nic',
      'local.storage',
      'northsouth.gateway',
    ]);
  }));

/** What `twonode probe --json` prints of a look. */
interface Look {
  node: string;
  findings: { check: string; status: string; reason: string; how: string; advice: string }[];
}

const lookedAt = [
  'local.nic',
  'local.storage',
  'local.cpu',
  'local.memory',
  'northsouth.gateway',
  'eastwest.beat',
];

test('twonode probe --once looks at everything and ends; its status is the verdict', () =>
  withPair(loopback4, async (pair, gateway) => {
    const run = (...flags: string[]) =>
      promisify(execFile)(process.execPath, commandOf(pair, 'probe', '--once', ...flags)).then(
        ({ stdout }) => ({ stdout, code: 0 }),
        ({ stdout, code }: { stdout: string; code: number }) => ({ stdout, code }),
      );
    const well = JSON.parse((await run('--json')).stdout) as Look;
    assert.is(well.node, 'node-a');
    assert.equal(
      well.findings.map(({ check }) => check),
      lookedAt,
    );
    assert.is(well.findings.at(-1)?.status, 'ok', 'what the running prober hears');
    gateway.close();
    const { stdout, code } = await run();
    assert.is(code, 2);
    assert.match(stdout, /^node-a at .*\n\nCHECK +VERDICT +HOW +FOUND\nlocal\.nic +ok +\/sys/);
    assert.match(
      stdout,
      /northsouth\.gateway +FAILED +TCP connect .*ECONNREFUSED\)\n +-> check the uplink, the switch and the router\n/,
    );
  }));

test('twonode probe looks again and again, and ends at Ctrl-C with the verdict of its last look', () =>
  withPair(loopback4, async (pair, gateway) => {
    const child = spawn(process.execPath, commandOf(pair, 'probe', '--json'), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const looks = createInterface(child.stdout)[Symbol.asyncIterator]();
    const status = async () => {
      const { findings } = JSON.parse((await looks.next()).value) as Look;
      return findings.find(({ check }) => check === 'northsouth.gateway')?.status;
    };
    assert.is(await status(), 'ok');
    gateway.close();
    assert.is(await status(), 'failed');
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    assert.equal(await ended, [2, null]);
  }));

test.run();
