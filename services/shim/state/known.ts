import { type BeatValue, beatValueSchema } from '../../../shared/beat-value.ts';
import type { Signal, SignalStatus, StateMessage } from '../../../shared/messages.ts';
import type { NodeState } from '../../../shared/node.ts';
import type { Reason } from '../../../shared/reasons.ts';
import { contradiction } from '../replication/contradiction.ts';
import type { MachineConfig } from './config.ts';

/** The local checks, in the order in which a failure is named. Others are ignored. */
const localChecks = ['nic', 'vnic', 'cni', 'api', 'datastore', 'storage', 'memory', 'cpu'].map(
  (check) => `local.${check}`,
);
const eastWestChecks = ['beat', 'icmp', 'api'];

/** The last known result of one check. */
export interface Observation {
  readonly status: SignalStatus;
  /** Onset of the status, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** When this status was last told, and until when that counts. */
  readonly seenMs: number;
  readonly untilMs: number;
  /** The prober's `at`: when it last measured this status, and when that was first told. */
  readonly at: string;
  readonly measuredMs: number;
  readonly severity: Signal['severity'];
  readonly text: string;
  /** An interface failed because its carrier is lost. */
  readonly carrierLost: boolean;
  /** Lost carrier counts as a joint failure (`carrierLoss: joint`). */
  readonly joint: boolean;
}

/** What the shim knows of its own datastore and of the log link. */
export interface Datastore {
  /** The log was compared with the peer's, or needs not be. */
  readonly logVerified: boolean;
  /** A follower that never had a mirror. */
  readonly neverJoined: boolean;
  /** `works`: the peer's shim answers and the mirror is active, right now. */
  readonly logLink: 'works' | 'down';
  /** All that this node wrote alone is merged and in its mirror. */
  readonly reconverged: boolean;
  /** What is wrong with this node's own datastore, in a few words; null when nothing is. */
  readonly failure: string | null;
  /** What a person should know of the log though it changes no state, each one line. */
  readonly notices: readonly string[];
}

/** What the peer last said of itself, in its beats or on its state subject. */
interface PeerStatement {
  readonly state: NodeState;
  readonly reason: Reason | null;
  readonly sinceMs: number;
  /** From when on this node can have known of that state: what is older is no news. */
  readonly learnedMs: number;
  /** When it said so, and until when that counts. */
  readonly saidMs: number;
  readonly untilMs: number;
}

/** All that was told since the shim started. Not persisted: it is told again after a restart. */
export interface Known {
  readonly checks: Readonly<Record<string, Observation>>;
  readonly datastore: Datastore | null;
  readonly datastoreFailedMs: number | null;
  readonly peerSaid: PeerStatement | null;
  /** `since` of the peer's last message on its state subject, by its own clock; empty before the first. */
  readonly peerMessageSince: string;
  readonly beat: BeatValue | null;
  /** What the peer's configuration says otherwise than ours, and since when that is known; null while they agree. */
  readonly contradiction: { readonly text: string; readonly sinceMs: number } | null;
  /** The peer restarts and is to be back by then; null when it does not. */
  readonly restartingUntilMs: number | null;
  /** First and last sign of life of the prober since it was last silent; null before the first. */
  readonly proberSince: number | null;
  readonly proberSeenMs: number | null;
  /** Without a newer sign of life by then, the prober is silent. */
  readonly proberUntilMs: number;
}

/** `ttl_ms` of the beat signal: a prober that says nothing for longer is silent. */
const beatTtlMs = 3_000;

/** What a shim knows that starts now. */
export const nothingKnown = (nowMs: number): Known => ({
  checks: {},
  datastore: null,
  datastoreFailedMs: null,
  peerSaid: null,
  peerMessageSince: '',
  beat: null,
  contradiction: null,
  restartingUntilMs: null,
  proberSince: null,
  proberSeenMs: null,
  proberUntilMs: nowMs + beatTtlMs,
});

function isWatched(config: MachineConfig, { area, check }: Signal): boolean {
  if (area === 'local') return localChecks.includes(`local.${check}`);
  if (area === 'eastwest') return eastWestChecks.includes(check);
  return config.testPoints.includes(check);
}

/** The node's lost carrier, if that counts as a joint failure; else null. */
export function jointCarrierLoss({ checks }: Known): Observation | null {
  const nic = checks['local.nic'];
  return nic?.joint ? nic : null;
}

/** The local checks that were observed, in the order in which a failure is named. */
export function localObservations({ checks }: Known): { check: string; observation: Observation }[] {
  const observed: { check: string; observation: Observation }[] = [];
  for (const check of localChecks) {
    const observation = checks[check];
    if (observation) observed.push({ check, observation });
  }
  return observed;
}

/**
 * An onset is the prober's own `since`, so that restarting the shim does not make failures younger. But what was seen to
 * change lies between the two sights, whatever a stepped clock says.
 */
function onset(signal: Signal, previous: Observation | undefined, nowMs: number): number {
  if (previous && previous.status === signal.status) return previous.sinceMs;
  const since = Math.min(Date.parse(signal.since), nowMs);
  return previous ? Math.max(since, previous.measuredMs) : since;
}

/** A prober that restarts says `unknown` until it has measured: what was known before stays known. */
function observe(signal: Signal, previous: Observation | undefined, nowMs: number): Observation {
  if (signal.status === 'unknown' && previous) return previous;
  const carrierLost = signal.status === 'failed' && signal.value.kind === 'carrier';
  return {
    status: signal.status,
    sinceMs: onset(signal, previous?.status === 'unknown' ? undefined : previous, nowMs),
    seenMs: nowMs,
    untilMs: nowMs + signal.ttl_ms,
    at: signal.at,
    // Told once more without a newer measurement: a run of failures may have begun since, too short yet to count.
    measuredMs: previous?.at === signal.at ? previous.measuredMs : nowMs,
    severity: signal.severity,
    text: signal.reason || `${signal.check} ${signal.status}`,
    carrierLost,
    joint: carrierLost && signal.value.carrier_loss === 'joint',
  };
}

/** Takes in one signal of this node's own prober. */
export function learnSignal(config: MachineConfig, known: Known, signal: Signal, nowMs: number): Known {
  if (!isWatched(config, signal)) return known;
  const name = `${signal.area}.${signal.check}`;
  const observation = observe(signal, known.checks[name], nowMs);
  const learned = { ...known, checks: { ...known.checks, [name]: observation } };
  return name === 'eastwest.beat' ? learnBeat(config, learned, signal, nowMs) : learned;
}

function learnBeat(config: MachineConfig, known: Known, signal: Signal, nowMs: number): Known {
  const parsed = beatValueSchema.safeParse(signal.value);
  const beat = parsed.success ? parsed.data : beatValueSchema.parse({});
  const learned: Known = {
    ...known,
    beat,
    contradiction: contradictionOf(config, known, beat, nowMs),
    restartingUntilMs: restartingUntil(known, beat, signal, nowMs),
    proberSince: nowMs <= known.proberUntilMs ? (known.proberSince ?? nowMs) : nowMs,
    proberSeenMs: nowMs,
    proberUntilMs: nowMs + signal.ttl_ms,
  };
  if (signal.status !== 'ok') return learned;
  if (beat.peer_state === null) return { ...learned, peerSaid: null };
  const sinceMs = nowMs - beat.peer_state_age_ms;
  if (isSuperseded(known, beat.peer_state, nowMs) && sinceMs < (known.peerSaid?.learnedMs ?? 0))
    return learned;
  return sayPeer(learned, {
    state: beat.peer_state,
    reason: beat.peer_reason,
    sinceMs,
    // Beats come in order, and tell the age of the state: the next one is always newer.
    learnedMs: sinceMs,
    saidMs: nowMs,
    untilMs: nowMs + signal.ttl_ms,
  });
}

/** What the peer said last holds while it is silent: cut off from each other, the two would both lead. */
function contradictionOf(
  { cluster, node, peer, role }: MachineConfig,
  known: Known,
  { peer_role, peer_cluster }: BeatValue,
  nowMs: number,
): Known['contradiction'] {
  if (peer_role === null) return known.contradiction;
  const text = contradiction(
    { cluster, node, role, peer },
    { cluster: peer_cluster, node: peer, role: peer_role, peer: node },
  );
  return text === null ? null : { text, sinceMs: known.contradiction?.sinceMs ?? nowMs };
}

/**
 * An announced restart has one deadline: hearing the announcement again does not move it. It holds until the peer is heard
 * again without it, not only until its first beats come.
 */
function restartingUntil(known: Known, beat: BeatValue, signal: Signal, nowMs: number): number | null {
  if (beat.peer_restarting_ms === null) return signal.status === 'ok' ? null : known.restartingUntilMs;
  if (known.restartingUntilMs !== null) return known.restartingUntilMs;
  const age = Math.min(Math.max(nowMs - Date.parse(signal.at), 0), signal.ttl_ms);
  return nowMs - age + beat.peer_restarting_ms;
}

/**
 * Whether the peer says another state than the one that counts. It says its state in beats and in messages, and either may
 * come late: what was true before this node learned of the present state is no news.
 */
function isSuperseded({ peerSaid }: Known, state: NodeState, nowMs: number): boolean {
  return peerSaid !== null && peerSaid.state !== state && nowMs <= peerSaid.untilMs;
}

/** Takes in a message of the peer on `twonode.state.<peer>`. One that says again what was said before a newer beat is late. */
export function learnPeerState(known: Known, message: StateMessage, nowMs: number): Known {
  const { state, reason } = message;
  if (isSuperseded(known, state, nowMs) && message.since === known.peerMessageSince) return known;
  const sinceMs = Math.min(Date.parse(message.since), nowMs);
  const said = { state, reason, sinceMs, learnedMs: nowMs, saidMs: nowMs, untilMs: nowMs + message.ttl_ms };
  return sayPeer({ ...known, peerMessageSince: message.since }, said);
}

/** What the peer says again is not younger for that. */
function sayPeer(known: Known, said: PeerStatement): Known {
  const last = known.peerSaid;
  const isRepeated = last?.state === said.state && last.reason === said.reason;
  const learnedMs = last?.state === said.state ? last.learnedMs : said.learnedMs;
  return {
    ...known,
    peerSaid: { ...said, learnedMs, sinceMs: isRepeated ? last.sinceMs : said.sinceMs },
  };
}

/** Takes in what the shim knows of its own datastore. */
export function learnDatastore(known: Known, datastore: Datastore, nowMs: number): Known {
  const failedMs = datastore.failure === null ? null : (known.datastoreFailedMs ?? nowMs);
  return { ...known, datastore, datastoreFailedMs: failedMs };
}
