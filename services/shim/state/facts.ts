import type { MachineConfig } from './config.ts';
import { jointCarrierLoss, type Known, localObservations, type Observation } from './known.ts';
import type { Memory } from './persisted.ts';
import type { Facts, Failure, PeerFacts } from './rules.ts';

/** From what was told (`known`) and what is remembered (`memory`) to the facts that the rules judge. Pure. */

/** What the facts at one moment are made of. */
export interface Sources {
  readonly config: MachineConfig;
  readonly memory: Memory;
  readonly known: Known;
  /** When the shim started, and now, in milliseconds since the Unix epoch. */
  readonly startedMs: number;
  readonly nowMs: number;
}

/** Checks that are fatal only if they were ever healthy on this installation: else a first start could never finish. */
const fatalOnceHealthy = ['local.api', 'local.cni', 'eastwest.api'];

/** Adds the checks that are healthy now to those that ever were. */
export function everHealthy({ checks }: Known, before: readonly string[]): string[] {
  const healthy = fatalOnceHealthy.filter((name) => ['ok', 'warning'].includes(checks[name]?.status ?? ''));
  return [...new Set([...before, ...healthy])];
}

/**
 * A failure that counts: its severity says so, and it is not the first start of API or CNI. A joint loss of carrier takes the
 * interfaces that hang on the NIC with it, and is no local failure.
 */
export function isFatal({ memory, known }: Sources, check: string, observation: Observation): boolean {
  if (observation.status !== 'failed' || observation.severity !== 'fatal') return false;
  if (observation.carrierLost && jointCarrierLoss(known)) return false;
  return !fatalOnceHealthy.includes(check) || memory.everHealthy.includes(check);
}

function localFailure(sources: Sources): Failure | null {
  const { known } = sources;
  if (known.contradiction) {
    const { text, sinceMs } = known.contradiction;
    const advice = 'give both nodes the same configuration file and restart both';
    return { check: 'configuration', text: `${text} (${advice})`, sinceMs };
  }
  for (const { check, observation } of localObservations(known)) {
    if (isFatal(sources, check, observation)) {
      return { check, text: observation.text, sinceMs: observation.sinceMs };
    }
  }
  if (known.datastore?.failure && known.datastoreFailedMs !== null) {
    return { check: 'datastore', text: known.datastore.failure, sinceMs: known.datastoreFailedMs };
  }
  return null;
}

/** Whether all that a verdict needs has been told, or was waited for in vain for `staleAfter`. */
function isInformed({ config, known, nowMs }: Sources): boolean {
  const { checks, proberSince } = known;
  if (proberSince === null || known.datastore === null) return false;
  if (nowMs - proberSince >= config.staleAfterMs) return true;
  const isFresh = (name: string) => nowMs <= (checks[name]?.untilMs ?? 0);
  const isKnown = (name: string) => isFresh(name) && checks[name]?.status !== 'unknown';
  return (
    isKnown('eastwest.beat') &&
    config.testPoints.every((point) => isKnown(`northsouth.${point}`)) &&
    config.localChecks.every((check) => isFresh(`local.${check}`))
  );
}

/** When the prober gave its last sign of life; after a restart of the shim, as far as that is known. */
export function lastSignOfLife({ memory, known, startedMs }: Sources): number {
  return known.proberSeenMs ?? memory.proberSilentSinceMs ?? startedMs;
}

export function isProberSilent({ known, nowMs }: Sources): boolean {
  return nowMs > known.proberUntilMs;
}

function prober(sources: Sources): Facts['prober'] {
  if (sources.nowMs - lastSignOfLife(sources) >= sources.config.staleAfterMs) return 'lost';
  return isProberSilent(sources) || !isInformed(sources) ? 'silent' : 'current';
}

/** A peer that said it restarts is given that time: nothing that is seen of it meanwhile counts. */
export function isPeerRestarting({ known, nowMs }: Sources): boolean {
  return known.restartingUntilMs !== null && nowMs < known.restartingUntilMs;
}

function peerHealth(sources: Sources): PeerFacts['health'] {
  const { config, known, nowMs } = sources;
  const said = known.peerSaid;
  if (said?.state === 'Impaired' && nowMs <= said.untilMs) {
    const passing = said.reason === 'starting' || said.reason === 'prober-silent';
    if (!passing || nowMs - said.sinceMs >= config.staleAfterMs) return 'impaired';
  }
  const api = known.checks['eastwest.api'];
  return api && isFatal(sources, 'eastwest.api', api) ? 'api-failed' : 'healthy';
}

/**
 * A link that was stalled works again once it has without a break for this long, in milliseconds: at 30 % loss an answer comes
 * through now and then, and the state would go to and fro.
 */
const linkSettlesMs = 2_000;

/** A stall counts from the moment when the link went down or the peer was heard, whichever is later. */
function logLink({ config, memory, known, nowMs }: Sources, heardSinceMs: number): PeerFacts['logLink'] {
  if (known.datastore?.logLink === 'works') {
    const wasStalled = memory.peer.heard && memory.peer.logLink === 'stalled';
    const upForMs = nowMs - (memory.linkUpSinceMs ?? nowMs);
    return wasStalled && upForMs < linkSettlesMs ? 'stalled' : 'works';
  }
  const stalledForMs = nowMs - Math.max(memory.linkDownSinceMs ?? nowMs, heardSinceMs);
  if (stalledForMs >= config.linkStallAfterMs) return 'stalled';
  return memory.peer.heard ? memory.peer.logLink : 'settling';
}

/** A prober that says `unknown` (it cannot listen) leaves the last result in force, but not for longer than `staleAfter`. */
function peerFacts(sources: Sources): PeerFacts {
  const { config, known, nowMs } = sources;
  const beat = known.checks['eastwest.beat'];
  const isRecent = beat !== undefined && nowMs - beat.seenMs < config.staleAfterMs;
  const heard = isRecent && beat.status === 'ok' && known.beat?.peer_leaving !== true;
  const said = known.peerSaid;
  return {
    heard,
    silentSinceMs: beat?.status === 'failed' ? beat.sinceMs : null,
    health: peerHealth(sources),
    saysLeader: said?.state === 'Leader' && nowMs <= said.untilMs,
    logLink: heard ? logLink(sources, beat.sinceMs) : 'settling',
  };
}

/** Since when a test point does not answer; null while it does. An answer that nobody confirms any more is none. */
function pointLostMs(point: Observation | undefined, { known, nowMs }: Sources): number | null {
  if (!point) return known.proberSince ?? nowMs;
  if (point.status !== 'ok') return point.sinceMs;
  return nowMs <= point.untilMs ? null : point.untilMs;
}

/**
 * Lost: a fatal test point is silent and none answers. Lost carrier that counts as joint has taken the reach with it, before
 * the test points notice.
 */
export function northSouthLost(sources: Sources): Failure | null {
  const { config, known, nowMs } = sources;
  const points = config.testPoints.map((name) => known.checks[`northsouth.${name}`]);
  const lostMs = points.map((point) => pointLostMs(point, sources)).filter((ms) => ms !== null);
  const counts = points.some((point) => (point?.severity ?? 'fatal') === 'fatal');
  const allLostMs = counts && lostMs.length === points.length ? Math.max(...lostMs) : null;
  const carrier = jointCarrierLoss(known);
  if (carrier) {
    const sinceMs = Math.min(carrier.sinceMs, allLostMs ?? nowMs);
    return { check: 'northsouth', text: carrier.text, sinceMs };
  }
  if (allLostMs === null) return null;
  return { check: 'northsouth', text: 'north-south unreachable', sinceMs: allLostMs };
}

/** Rule 3: lost since more than `incidentWindow` after the incident began. */
function isFurther({ config, memory }: Sources, lost: Failure | null): boolean {
  if (!lost || !memory.incident || memory.incident.coversNorthSouth) return false;
  return lost.sinceMs > memory.incident.startMs + config.incidentWindowMs;
}

function log({ known }: Sources): Facts['log'] {
  if (known.datastore === null || known.datastore.logVerified) return 'verified';
  return known.datastore.neverJoined ? 'never-joined' : 'unverified';
}

/** Whether the wait after boot is over: the peer was heard, or is down for `bootGrace`. */
function bootOver({ config, memory, known, nowMs }: Sources): boolean {
  const beat = known.checks['eastwest.beat'];
  if (memory.bootOver) return true;
  if (!beat) return false;
  return beat.status === 'ok' || nowMs - beat.sinceMs >= config.bootGraceMs;
}

/** What is known at this moment, as the rules want it. */
export function factsAt(sources: Sources): Facts {
  const { config, memory, known } = sources;
  const proberFacts = prober(sources);
  const current = proberFacts === 'current';
  const lost = northSouthLost(sources);
  return {
    role: config.role,
    localFailure: localFailure(sources),
    prober: proberFacts,
    bootOver: current ? bootOver(sources) : memory.bootOver,
    log: log(sources),
    peer: current && !isPeerRestarting(sources) ? peerFacts(sources) : memory.peer,
    reconverged: known.datastore?.reconverged ?? false,
    northSouthLost: lost,
    furtherFailure: isFurther(sources, lost),
  };
}
