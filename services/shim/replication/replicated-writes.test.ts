import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ReplicatedWrites } from './replicated-writes.ts';

const test = suite('writes that wait for the follower');
const logger = pino({ level: 'silent' });
const ackTimeoutMs = 30;

function writes(ack: 'both' | 'local' = 'both'): ReplicatedWrites {
  return new ReplicatedWrites({ ack, ackTimeoutMs, logger });
}

/** Whether a wait has ended by now. */
async function hasEnded(wait: Promise<void>): Promise<boolean> {
  return Promise.race([wait.then(() => true), delay(0, false)]);
}

test('before the follower follows, nothing waits for it', async () => {
  const replicated = writes();
  await replicated.wait(1);
  assert.is(replicated.following, false);
});

test('ack: both: a write waits until the follower has it', async () => {
  const replicated = writes();
  replicated.storedUpTo(10, 10);
  assert.is(replicated.following, true);
  const [first, second] = [replicated.wait(11), replicated.wait(12)];
  assert.is(await hasEnded(first), false);
  replicated.storedUpTo(11, 12);
  assert.is(await hasEnded(first), true);
  assert.is(await hasEnded(second), false);
  replicated.storedUpTo(12, 12);
  await second;
  await replicated.wait(12);
});

test('a follower that does not answer in time is left, and all who wait are answered', async () => {
  const replicated = writes();
  replicated.storedUpTo(10, 10);
  const startedMs = performance.now();
  await Promise.all([replicated.wait(11), replicated.wait(12)]);
  assert.ok(performance.now() - startedMs >= ackTimeoutMs - 1);
  assert.is(replicated.following, false);
  await replicated.wait(13);
});

test('the limit is for each answer: a follower that is slow but goes on is not left', async () => {
  const replicated = writes();
  replicated.storedUpTo(10, 10);
  const last = replicated.wait(15);
  for (let sequence = 11; sequence <= 15; sequence++) {
    void replicated.wait(sequence);
    await delay(ackTimeoutMs / 3);
    replicated.storedUpTo(sequence, 15);
  }
  await last;
  assert.is(replicated.following, true);
});

test('the way back: it is waited for again once it has nearly caught up', async () => {
  const replicated = writes();
  replicated.storedUpTo(10, 10);
  await replicated.wait(11);
  replicated.storedUpTo(100, 1_000);
  assert.is(replicated.following, false);
  replicated.storedUpTo(900, 1_000);
  assert.is(replicated.following, true);
  assert.is(await hasEnded(replicated.wait(1_000)), false);
  replicated.storedUpTo(1_000, 1_000);
});

test('ack: local: nothing ever waits', async () => {
  const replicated = writes('local');
  replicated.storedUpTo(10, 10);
  assert.is(replicated.following, false);
  await replicated.wait(11);
});

test('a follower that lost its disk is left, and what it held counts no more', async () => {
  const replicated = writes();
  replicated.storedUpTo(10, 10);
  const waits = replicated.wait(11);
  replicated.forget();
  await waits;
  assert.is(replicated.stored, 0);
});

test.run();
