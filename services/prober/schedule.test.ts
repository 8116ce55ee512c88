import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Probe } from './probe.ts';
import { type ProbeResult, startSchedule } from './schedule.ts';
import { ok, type Verdict } from './verdict.ts';

const probe = (check: string, run: () => Promise<Verdict>): Probe => ({
  area: 'local',
  check,
  severity: 'fatal',
  interval: 10,
  timeout: 10,
  failureThreshold: 1,
  successThreshold: 1,
  how: '',
  advice: '',
  run,
});

/** Runs a schedule until `enough` of its results so far. */
function runUntil(probes: Probe[], enough: (results: ProbeResult[]) => boolean): Promise<ProbeResult[]> {
  return new Promise((resolve) => {
    const results: ProbeResult[] = [];
    const schedule = startSchedule(probes, (result) => {
      results.push(result);
      if (!enough(results)) return;
      schedule.stop();
      resolve(results);
    });
  });
}

const of = (results: ProbeResult[], check: string) =>
  results.filter((result) => result.probe.check === check);

test('one that hangs becomes unknown, is not started twice, and delays no other', async () => {
  let starts = 0;
  const hanging = probe('hanging', () => {
    starts += 1;
    return new Promise(() => {});
  });
  const quick = probe('quick', async () => ok());
  const results = await runUntil([hanging, quick], (all) => of(all, 'hanging').length > 0);
  assert.is(of(results, 'hanging')[0]?.verdict.status, 'unknown');
  assert.is(of(results, 'hanging')[0]?.verdict.reason, 'hanging: the probe hangs (no result in 10 ms)');
  assert.is(starts, 1);
  assert.ok(of(results, 'quick').length > 10);
});

test('one that takes a little longer than its interval runs again at once, not an interval later', async () => {
  const runMs = 55;
  const slow: Probe = {
    ...probe('slow', () => delay(runMs, ok())),
    interval: 50,
    timeout: 1_000,
  };
  const started = performance.now();
  await runUntil([slow], (results) => results.length === 4);
  const tookMs = performance.now() - started;
  assert.ok(tookMs < 4 * runMs + 3 * 40, `${tookMs} ms`);
});

test('one that throws becomes unknown, with the reason, and is tried again', async () => {
  const broken = probe('broken', async () => {
    throw Object.assign(new Error('no'), { code: 'EIO' });
  });
  const results = await runUntil([broken], (all) => all.length === 2);
  assert.is(results[1]?.verdict.reason, 'broken: the probe failed (EIO)');
});

test('a poke runs a check at once', async () => {
  let poke = () => {};
  let detached = false;
  const attach = (wake: () => void) => {
    poke = wake;
    return () => {
      detached = true;
    };
  };
  const slow = { ...probe('slow', async () => ok()), interval: 3_600_000, attach };
  let results = 0;
  await new Promise<void>((resolve) => {
    const schedule = startSchedule([slow], () => {
      results += 1;
      if (results === 2) {
        schedule.stop();
        resolve();
      } else setImmediate(poke);
    });
  });
  assert.is(results, 2);
  assert.ok(detached);
});

test.run();
