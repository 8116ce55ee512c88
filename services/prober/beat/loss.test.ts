import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BeatLink, type LinkIdentity, type LinkVerdict } from './link.ts';

/**
 * Two links on a simulated clock and network: seeded loss, delay, pauses. The seed is printed, and taken from
 * TWONODE_TEST_SEED when that is set.
 */
const seed = Number(process.env.TWONODE_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`TWONODE_TEST_SEED=${seed}`);

const settings = { interval: 100, suspectAfter: 250, downAfter: 800, upWindow: 2_000 };

/** Mulberry32: a small generator whose whole state is its seed. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Time between two looks at timers and sockets. */
const lookMs = 5;

type Side = 'a' | 'b';

interface Datagram {
  to: Side;
  atMs: number;
  bytes: Buffer;
}

/** How a network treats what is sent to a side: the chance of losing it. */
type Loss = Record<Side, number>;

class Network {
  now = 0;
  loss: Loss = { a: 0, b: 0 };
  /** Longest delay of a datagram in milliseconds. */
  jitterMs = 20;
  /** b's wall clock minus a's. */
  offsetMs = 0;
  readonly links: Record<Side, BeatLink>;
  readonly #random: () => number;
  #flying: Datagram[] = [];
  /** Beats that each side has sent. */
  readonly sent: Record<Side, number> = { a: 0, b: 0 };
  readonly #due: Record<Side, number> = { a: 0, b: 0 };
  readonly #pausedUntil: Record<Side, number> = { a: 0, b: 0 };

  constructor(start: number) {
    this.#random = randomOf(start);
    this.links = { a: this.#link('a', 1), b: this.#link('b', 1) };
  }

  /** A side starts anew, as another run. */
  restart(side: Side, run: number): void {
    this.links[side] = this.#link(side, run);
  }

  /** A process stops for a while; what is sent to it waits in its socket. */
  pause(side: Side, ms: number): void {
    this.#pausedUntil[side] = this.now + ms;
  }

  /** One interval; returns what each side thinks. */
  step(): Record<Side, LinkVerdict> {
    for (let ms = 0; ms < settings.interval; ms += lookMs) {
      this.now += lookMs;
      for (const side of ['a', 'b'] as const) {
        if (this.now < this.#pausedUntil[side]) continue;
        // As in libuv: the timers run before the sockets are read.
        if (this.now >= this.#due[side]) this.#beat(side);
        this.#deliver(side);
      }
    }
    return { a: this.links.a.verdict(this.now), b: this.links.b.verdict(this.now) };
  }

  run(ms: number): Record<Side, LinkVerdict> {
    for (let left = ms; left > settings.interval; left -= settings.interval) this.step();
    return this.step();
  }

  #instant(side: Side) {
    return { nowMs: this.now, wallMs: 1_767_225_600_000 + this.now + (side === 'b' ? this.offsetMs : 0) };
  }

  #beat(side: Side): void {
    this.#send(side);
    this.links[side].tick(this.now);
    this.#due[side] = this.now + this.links[side].pace;
  }

  #send(from: Side): void {
    const bytes = this.links[from].next(this.#instant(from));
    this.sent[from] += 1;
    const to = from === 'a' ? 'b' : 'a';
    if (this.#random() < this.loss[to]) return;
    this.#flying.push({ to, atMs: this.now + this.#random() * this.jitterMs, bytes });
  }

  #deliver(side: Side): void {
    const due = this.#flying.filter(({ to, atMs }) => to === side && atMs <= this.now);
    this.#flying = this.#flying.filter((datagram) => !due.includes(datagram));
    for (const { bytes } of due) {
      const admitted = this.links[side].receive(bytes, this.#instant(side));
      if (admitted && this.links[side].answers(this.now)) this.#beat(side);
    }
  }

  #link(side: Side, run: number): BeatLink {
    const identity: LinkIdentity = {
      self: `node-${side}`,
      peer: side === 'a' ? 'node-b' : 'node-a',
      bootId: `boot-${side}`,
      run: `run-${side}-${run}`,
      secret: 'c'.repeat(64),
      configDigest: '0123456789ab',
      role: side === 'a' ? 'leader' : 'follower',
      cluster: 'edge-1',
      settings,
    };
    return new BeatLink(identity, this.now, false);
  }
}

const hour = 3_600_000;

test('an hour of 30 % loss each way raises no false alarm', () => {
  const network = new Network(seed);
  network.run(3_000);
  network.loss = { a: 0.3, b: 0.3 };
  for (let ms = 0; ms < hour; ms += settings.interval) {
    const { a, b } = network.step();
    assert.is(a.status, 'ok', `node-a at ${network.now} ms`);
    assert.is(b.status, 'ok', `node-b at ${network.now} ms`);
  }
  const loss = network.links.a.verdict(network.now).value.loss_percent;
  assert.ok(loss !== null && loss > 15 && loss < 45, `${loss} % measured`);
});

test('in quiet each sends a beat each interval; who hears nothing asks often, and each such beat is answered', () => {
  const network = new Network(seed + 9);
  const sentWithin = (ms: number) => {
    const before = { ...network.sent };
    network.run(ms);
    return { a: network.sent.a - before.a, b: network.sent.b - before.b };
  };
  network.run(3_000);
  const quiet = sentWithin(10_000);
  assert.ok(quiet.a <= 105 && quiet.b <= 105, JSON.stringify(quiet));
  network.loss = { a: 0, b: 1 };
  network.run(400);
  const asking = sentWithin(300);
  assert.ok(asking.b >= 15 && asking.a >= 12, JSON.stringify(asking));
  network.run(1_000);
  const given = sentWithin(1_000);
  assert.ok(given.a <= 15 && given.b <= 15, `${JSON.stringify(given)} after the verdict`);
});

test('they find each other at 30 % loss, within a few seconds', () => {
  const network = new Network(seed + 1);
  network.loss = { a: 0.3, b: 0.3 };
  const { a, b } = network.run(4_000);
  assert.is(a.status, 'ok');
  assert.is(b.status, 'ok');
});

test('own pauses of up to 3 s under loss are no alarm on the side that paused', () => {
  const network = new Network(seed + 2);
  network.run(3_000);
  network.loss = { a: 0.3, b: 0.3 };
  for (let round = 1; round <= 60; round++) {
    network.pause('a', 50 * round);
    for (let ms = 0; ms < 10_000; ms += settings.interval) {
      assert.is(network.step().a.status, 'ok', `after a pause of ${50 * round} ms`);
    }
  }
});

test('from the last beat to the verdict it is less than a second, and back within two', () => {
  const network = new Network(seed + 3);
  network.run(3_000);
  network.loss = { a: 1, b: 1 };
  const cutAt = network.now;
  while (network.step().a.status === 'ok') assert.ok(network.now - cutAt < 1_000);
  network.loss = { a: 0, b: 0 };
  const { a } = network.run(2_000);
  assert.is(a.status, 'ok');
});

test('one-way loss is told apart from death', () => {
  const network = new Network(seed + 4);
  network.run(3_000);
  network.loss = { a: 0, b: 1 };
  const { a, b } = network.run(2_000);
  assert.is(a.status, 'ok');
  assert.is(a.value.one_way, 'peer-deaf');
  assert.is(a.reason, 'node-b does not hear this node');
  assert.is(b.status, 'failed');
  assert.is(b.value.one_way, null);
  assert.is(b.reason, 'no beat of node-a');
});

test('a link that is one-way from the start is never up, and says why', () => {
  const network = new Network(seed + 5);
  network.loss = { a: 0, b: 1 };
  const { a } = network.run(5_000);
  assert.is(a.status, 'failed');
  assert.is(a.reason, 'node-b is heard, but does not hear this node');
});

test('a peer that restarts within the time for silence is never down', () => {
  const network = new Network(seed + 6);
  network.run(3_000);
  network.restart('b', 2);
  for (let ms = 0; ms < 5_000; ms += settings.interval) assert.is(network.step().a.status, 'ok');
});

test('what was recorded and is played again does not keep a dead peer alive', () => {
  const network = new Network(seed + 7);
  network.run(3_000);
  const recorded: Buffer[] = [];
  for (let beat = 0; beat < 400; beat++) {
    recorded.push(network.links.b.next({ nowMs: network.now, wallMs: network.now }));
  }
  for (const bytes of recorded) network.links.a.receive(bytes, { nowMs: network.now, wallMs: 0 });
  network.loss = { a: 1, b: 1 };
  for (let ms = 0; ms < 2_000; ms += settings.interval) {
    network.step();
    for (const bytes of recorded) network.links.a.receive(bytes, { nowMs: network.now, wallMs: 0 });
  }
  const verdict = network.links.a.verdict(network.now);
  assert.is(verdict.status, 'failed');
  assert.ok(verdict.value.rejected.replayed > 400);
});

test('round trip and clock offset are measured', () => {
  const network = new Network(seed + 8);
  network.jitterMs = 0;
  network.offsetMs = 90_000;
  const { a, b } = network.run(5_000);
  assert.ok(Math.abs((a.value.clock_offset_ms ?? 0) - 90_000) <= 50, `${a.value.clock_offset_ms}`);
  assert.ok(Math.abs((b.value.clock_offset_ms ?? 0) + 90_000) <= 50, `${b.value.clock_offset_ms}`);
  assert.ok((a.value.rtt_ms ?? 1_000) <= 50, `${a.value.rtt_ms}`);
});

test.run();
