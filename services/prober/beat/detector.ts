/**
 * The failure detector of the beats. Down is never damped: silence of `downAfter` is enough. Up is: half the beats of
 * `upWindow` must come, of a longer window for a link that flaps. Pauses of this process are not taken for silence of the
 * peer. All functions are pure; times are milliseconds of a monotonic clock.
 */
export interface DetectorSettings {
  /** Time between two beats, and between two ticks; both come more often while the peer is suspect. */
  interval: number;
  /** Silence after which the peer is suspect. */
  suspectAfter: number;
  /** Silence after which the peer is down. */
  downAfter: number;
  /** The peer is up again when half the beats of this window came. */
  upWindow: number;
}

export interface Detector {
  /** `listening` is the time after the start, before there is a verdict. */
  phase: 'listening' | 'up' | 'down';
  /** While up: silent for `suspectAfter`, not yet for `downAfter`. */
  suspect: boolean;
  /** When the last beat came; before the first, when listening began. */
  lastHeardMs: number;
  lastTickMs: number;
  /** Length of this process' own pauses since `lastHeardMs`: it could not hear then. */
  pausedMs: number;
  /** Ticks left until it judges again after a pause: what came meanwhile waits in the socket. */
  holdTicks: number;
  /** When beats came, while not up; at most one window. */
  arrivalsMs: number[];
  /** When the peer went down lately. */
  downsMs: number[];
  /** The peer was up when this process stopped: its restart costs the peer no new damping. */
  resumed: boolean;
}

/** Ticks after a pause until it judges again: between two of them the socket is read. */
const ticksAfterPause = 2;
/** A tick that is late by more than this is a pause of this process, in milliseconds. */
const pauseMs = 100;
/** A link that went down more than once within this time flaps. */
const flapMemoryMs = 60_000;
/** A flapping link's window is at most 2^3 = 8 times as long. */
const flapDoublingsMax = 3;

/** @param resumed whether the peer was up when this prober stopped, a moment ago within the same boot */
export function listen(nowMs: number, resumed: boolean): Detector {
  return {
    phase: 'listening',
    suspect: false,
    lastHeardMs: nowMs,
    lastTickMs: nowMs,
    pausedMs: 0,
    holdTicks: 0,
    arrivalsMs: [],
    downsMs: [],
    resumed,
  };
}

/** A new beat of the peer came. */
export function hear(detector: Detector, settings: DetectorSettings, nowMs: number): Detector {
  const heard = { ...detector, lastHeardMs: nowMs, pausedMs: 0, suspect: false };
  if (detector.phase === 'up') return heard;
  const window = upWindow(detector, settings, nowMs);
  const arrivalsMs = [...detector.arrivalsMs, nowMs].filter((at) => at > nowMs - window);
  const enough = arrivalsMs.length >= window / settings.interval / 2;
  if (!enough && !detector.resumed) return { ...heard, arrivalsMs };
  return { ...heard, phase: 'up', arrivalsMs: [], resumed: false };
}

/** The window for coming up: doubled with each further time that the peer went down within a minute. */
export function upWindow(detector: Detector, settings: DetectorSettings, nowMs: number): number {
  const downs = detector.downsMs.filter((at) => at > nowMs - flapMemoryMs).length;
  return settings.upWindow * 2 ** Math.min(Math.max(downs - 1, 0), flapDoublingsMax);
}

/** Judges the silence; to be called with each beat. */
export function tick(detector: Detector, settings: DetectorSettings, nowMs: number): Detector {
  const lateness = Math.max(0, nowMs - detector.lastTickMs - settings.interval);
  const paused = lateness > pauseMs;
  const pausedMs = detector.pausedMs + (paused ? lateness : 0);
  // A hold that runs is not begun anew: a process that is always late judges every second tick, not never.
  const hold = paused && detector.holdTicks === 0 ? ticksAfterPause : detector.holdTicks;
  const holdTicks = Math.max(0, hold - 1);
  const ticked = { ...detector, lastTickMs: nowMs, pausedMs, holdTicks };
  if (holdTicks > 0 || detector.phase === 'down') return ticked;
  const silence = nowMs - detector.lastHeardMs - pausedMs;
  if (silence >= settings.downAfter) return goDown(ticked, nowMs);
  return { ...ticked, suspect: detector.phase === 'up' && silence >= settings.suspectAfter };
}

function goDown(detector: Detector, nowMs: number): Detector {
  const recent = detector.downsMs.filter((at) => at > nowMs - flapMemoryMs);
  const downsMs = detector.phase === 'up' ? [...recent, nowMs] : recent;
  return { ...detector, phase: 'down', suspect: false, arrivalsMs: [], downsMs, resumed: false };
}
