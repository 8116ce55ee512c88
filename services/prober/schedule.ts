import type { Probe } from './probe.ts';
import { faultOf, unknown, type Verdict } from './verdict.ts';

/** One finished (or given up) run of a probe. */
export interface ProbeResult {
  probe: Probe;
  verdict: Verdict;
  /** Milliseconds the run took, or the time after which it was given up. */
  durationMs: number;
}

export interface Schedule {
  stop(): void;
}

/** Added to a probe's own limit before the schedule gives it up: a probe that keeps its limit answers for itself. */
const grace = 500;

/**
 * Runs each probe at its interval, each on its own: one that hangs or throws becomes `unknown` with a reason and delays no
 * other. A probe that hangs is not started again before it comes back, so at most one run of each is under way; one that took
 * longer than its interval is started again at once, so that a failure is not noticed later than its threshold says.
 */
export function startSchedule(probes: Probe[], onResult: (result: ProbeResult) => void): Schedule {
  const loops = probes.map((probe) => startLoop(probe, onResult));
  return {
    stop: () => {
      for (const loop of loops) loop.stop();
    },
  };
}

function startLoop(probe: Probe, onResult: (result: ProbeResult) => void): Schedule {
  let running = false;
  let stopped = false;
  let missed = false;
  const start = () => {
    if (running || stopped) return;
    running = true;
    missed = false;
    timer.refresh();
    void runProbe(probe, (result) => {
      if (!stopped) onResult(result);
    }).then(() => {
      running = false;
      if (missed) start();
    });
  };
  const timer = setInterval(() => {
    missed = running;
    start();
  }, probe.interval);
  // A poke runs the check now instead of waiting for its interval; nothing happens while it is running.
  const detach = probe.attach?.(start);
  start();
  return {
    stop: () => {
      stopped = true;
      detach?.();
      clearInterval(timer);
    },
  };
}

/**
 * Runs a probe once and reports exactly one result: its verdict, or `unknown` when it throws or hangs.
 * @returns when the probe itself has ended, which for one that hangs may be never
 */
export async function runProbe(probe: Probe, onResult: (result: ProbeResult) => void): Promise<void> {
  const started = performance.now();
  let reported = false;
  const report = (verdict: Verdict) => {
    if (reported) return;
    reported = true;
    onResult({ probe, verdict, durationMs: performance.now() - started });
  };
  const limit = setTimeout(
    () => report(unknown(`${probe.check}: the probe hangs (no result in ${probe.timeout} ms)`)),
    probe.timeout + grace,
  );
  try {
    report(await probe.run());
  } catch (error) {
    report(unknown(`${probe.check}: the probe failed (${faultOf(error)})`));
  } finally {
    clearTimeout(limit);
  }
}
