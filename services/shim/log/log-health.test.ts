import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StoreFullError } from './fenced-publisher.ts';
import { LogHealth } from './log-health.ts';

const test = suite('health of the log');

const full = () => Promise.reject(new StoreFullError('maximum bytes exceeded'));

/** A health whose probe is answered by `probe`, and its failures as they change. */
function start(probe: () => Promise<void>) {
  const changes: (string | null)[] = [];
  const health = new LogHealth({ probe, onChange: () => changes.push(health.failure) });
  return { health, changes };
}

test('a log that refuses the smallest record is full, and takes writes again when one is taken', async () => {
  const { health, changes } = start(full);
  await health.watch(full).catch(() => undefined);
  await Promise.resolve();
  assert.equal(changes, ['the log takes no writes: maximum bytes exceeded']);
  await health.watch(async () => 1);
  assert.equal(changes, ['the log takes no writes: maximum bytes exceeded', null]);
  health.stop();
});

test('a record that is too large for the room that is left says nothing of the log', async () => {
  const { health, changes } = start(async () => undefined);
  await health.watch(full).catch(() => undefined);
  await Promise.resolve();
  assert.equal(changes, []);
  health.stop();
});

test('a record that is not acknowledged for seconds says that the log is broken, until it is', async () => {
  const { health, changes } = start(full);
  const stuck = health.watch(
    () =>
      new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          if (changes.length === 0) return;
          clearInterval(timer);
          resolve();
        }, 20);
      }),
  );
  await stuck;
  assert.equal(changes, ['the log takes no writes: JetStream does not acknowledge', null]);
  health.stop();
});

test.run();
