import type { Signal } from '../../../../shared/messages.ts';
import type { Role } from '../../../../shared/node.ts';
import { reasonText } from '../../../../shared/reasons.ts';
import type { MachineConfig } from '../config.ts';
import { type Effect, type Input, type Machine, type Stepped, startMachine, step } from '../machine.ts';
import { type Memory, memorySchema } from '../persisted.ts';
import {
  allChecks,
  type Condition,
  failing,
  fine,
  localChecks,
  SimulatedProber,
  testPoints,
} from './prober.ts';

/**
 * For tests: two nodes on a simulated clock, each with its state machine, a prober that needs its time to notice, and a
 * datastore that compares and merges. Commands make faults, the transcript says what the machines did.
 */

const startMs = Date.parse('2026-01-01T12:00:00Z');
const tickMs = 100;

/** The log link works this long after both ends can reach each other. */
const linkUpMs = 300;

interface SimulatedNode {
  config: MachineConfig;
  saved: Memory | null;
  machine: Machine | null;
  prober: SimulatedProber | null;
  boots: number;
  /** Shim and prober come back then; 0 when they are not to. */
  backMs: number;
  readonly broken: Map<string, Condition>;
  verified: boolean;
  neverJoined: boolean;
  /** It was LeaderRX while its peer could not see it: there is something to merge. */
  wroteAlone: boolean;
  failure: string | null;
  linkUpSinceMs: number | null;
  leaving: boolean;
  restartingUntilMs: number | null;
  /** What it last heard its peer say. */
  heard: { said: string; value: Signal['value']; restartingUntilMs: number | null; stateSinceMs: number };
}

/** The state machine's part of a default configuration. */
export function simulatedConfig(node: string, peer: string, role: Role): MachineConfig {
  return {
    node,
    peer,
    role,
    cluster: 'edge-1',
    testPoints,
    localChecks,
    incidentWindowMs: 5_000,
    staleAfterMs: 10_000,
    linkStallAfterMs: 10_000,
    bootGraceMs: 30_000,
  };
}

const nothingHeard = { said: '', value: {}, restartingUntilMs: null, stateSinceMs: 0 };

function newNode(config: MachineConfig): SimulatedNode {
  return {
    config,
    saved: null,
    machine: null,
    prober: null,
    boots: 0,
    backMs: 0,
    broken: new Map(),
    verified: false,
    neverJoined: false,
    wroteAlone: false,
    failure: null,
    linkUpSinceMs: null,
    leaving: false,
    restartingUntilMs: null,
    heard: nothingHeard,
  };
}

export class SimulatedPair {
  readonly leader = newNode(simulatedConfig('node-a', 'node-b', 'leader'));
  readonly follower = newNode(simulatedConfig('node-b', 'node-a', 'follower'));
  readonly transcript: string[] = [];
  nowMs = startMs;
  /** Called after each step of a machine. */
  onStep: (pair: SimulatedPair) => void = () => {};
  /** Whether to make the machines anew from what they persisted, asked at each tick. */
  restartsNow: () => boolean = () => false;
  private readonly cutFrom = new Set<string>();
  private linkStalls = false;
  private mergeMs = 500;

  /** The commands. A node is `node-a` (leader) or `node-b`; a time is `500ms`, `5s` or `1m`. */
  private readonly commands: Record<string, (...args: string[]) => void> = {
    /** `boot`, `boot NODE` */
    boot: (name) => {
      if (name) this.boot(this.node(name));
      else for (const node of this.nodes()) this.boot(node);
    },
    off: (name) => this.powerOff(this.node(name)),
    wait: (time) => this.advance(milliseconds(time)),
    /** `cut link`, or `cut NODE`: only what it sends. */
    cut: (what) => {
      for (const from of what === 'link' ? ['node-a', 'node-b'] : [this.node(what).config.node]) {
        this.cutFrom.add(from);
      }
    },
    heal: () => this.cutFrom.clear(),
    /** The log link stalls while beats pass. */
    stall: () => {
      this.linkStalls = true;
    },
    unstall: () => {
      this.linkStalls = false;
    },
    /** `fail NODE CHECK ["text" | joint | warning-only]` */
    fail: (name, what = '', word = '') => this.break(name, what, { ...failing(''), ...wording(what, word) }),
    warn: (name, what = '', word = '') =>
      this.break(name, what, { ...fine, status: 'warning', ...wording(what, word) }),
    fix: (name, what = '') => {
      for (const check of checksOf(what)) this.node(name).broken.delete(check);
    },
    'break-store': (name, text = '') => {
      this.node(name).failure = text;
    },
    'fix-store': (name) => {
      this.node(name).failure = null;
    },
    'never-joined': (name) => {
      this.node(name).neverJoined = true;
    },
    'merge-takes': (time) => {
      this.mergeMs = milliseconds(time);
    },
    'stop-shim': (name) => this.stopShim(this.node(name)),
    'start-shim': (name) => this.startShim(this.node(name)),
    'stop-prober': (name) => {
      this.node(name).prober = null;
    },
    'start-prober': (name) => this.startProber(this.node(name)),
    /** `restart NODE EXPECTED ACTUAL`: announced, then shim and prober are away. */
    restart: (name, expected, actual) =>
      this.restart(this.node(name), milliseconds(expected), milliseconds(actual)),
    leave: (name) => {
      this.node(name).leaving = true;
    },
    /** `configure NODE role leader`, `configure NODE cluster NAME`: its shim starts anew with that. */
    configure: (name, field = '', value = '') => {
      const node = this.node(name);
      node.config = { ...node.config, [field]: value };
      this.startShim(node);
    },
    status: () => this.transcript.push(this.status()),
  };

  /** Runs one command line; throws when there is no such command. */
  run(line: string): void {
    const [verb = '', ...args] = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ''));
    const command = this.commands[verb];
    if (!command) throw new Error(`there is no command "${verb}"`);
    command(...args);
  }

  private status(): string {
    return this.nodes().map(describe).join('\n');
  }

  private nodes(): SimulatedNode[] {
    return [this.leader, this.follower];
  }

  private node(name = ''): SimulatedNode {
    const found = this.nodes().find((node) => node.config.node === name);
    if (!found) throw new Error(`there is no node "${name}"`);
    return found;
  }

  private peerOf(node: SimulatedNode): SimulatedNode {
    return node === this.leader ? this.follower : this.leader;
  }

  private boot(node: SimulatedNode): void {
    node.boots++;
    node.leaving = false;
    node.verified = false;
    node.linkUpSinceMs = null;
    node.heard = nothingHeard;
    this.startProber(node);
    this.startShim(node);
  }

  private powerOff(node: SimulatedNode): void {
    node.prober = null;
    this.stopShim(node);
  }

  private startProber(node: SimulatedNode): void {
    node.restartingUntilMs = null;
    node.prober = new SimulatedProber(node.config.node, `boot-${node.boots}`);
  }

  private stopShim(node: SimulatedNode): void {
    node.machine = null;
    this.log(node, 'shim stopped');
  }

  private startShim(node: SimulatedNode): void {
    this.log(node, node.saved ? 'shim started' : 'first start');
    this.beginMachine(node);
  }

  /** A shim that comes late asks the prober for all its signals. */
  private beginMachine(node: SimulatedNode): void {
    this.take(node, startMachine(node.config, node.saved, `boot-${node.boots}`, this.nowMs));
    const signals = node.prober?.snapshot(this.beatValue(node), this.nowMs) ?? [];
    if (signals.length > 0) this.input(node, { kind: 'signals', nowMs: this.nowMs, signals });
    this.tellDatastore(node);
  }

  private restart(node: SimulatedNode, expectedMs: number, actualMs: number): void {
    node.restartingUntilMs = this.nowMs + expectedMs;
    this.advance(200);
    this.powerOff(node);
    node.backMs = this.nowMs + actualMs;
  }

  private comeBack(node: SimulatedNode): void {
    if (node.backMs === 0 || this.nowMs < node.backMs) return;
    node.backMs = 0;
    this.startProber(node);
    this.startShim(node);
  }

  private break(name: string | undefined, what: string, condition: Condition): void {
    for (const check of checksOf(what)) this.node(name).broken.set(check, condition);
  }

  private advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.nowMs < endMs) {
      this.nowMs += tickMs;
      const restarts = this.restartsNow();
      for (const node of this.nodes()) {
        this.comeBack(node);
        if (node.machine && restarts) this.beginMachine(node);
        this.probe(node);
        this.runDatastore(node);
        this.input(node, { kind: 'tick', nowMs: this.nowMs });
      }
    }
  }

  private probe(node: SimulatedNode): void {
    if (!node.prober) return;
    const isNews = this.hear(node);
    for (const name of allChecks) {
      const value = name === 'eastwest.beat' ? this.beatValue(node) : {};
      const news = name === 'eastwest.beat' && isNews;
      const signal = node.prober.measure(name, this.actual(node, name), value, news, this.nowMs);
      if (signal) this.input(node, { kind: 'signals', nowMs: this.nowMs, signals: [signal] });
    }
  }

  /** What a check would find, if it looked now. */
  private actual(node: SimulatedNode, check: string): Condition {
    const peer = this.peerOf(node);
    const own = node.broken.get(check);
    if (own) return own;
    if (check.startsWith('northsouth.')) return lostNic(node) ? failing('no answer') : fine;
    if (check === 'eastwest.beat') return this.reaches(peer, node) ? fine : failing('silent');
    if (check !== 'eastwest.api') return fine;
    const answers = this.linkIsUp() && peer.prober && peer.broken.get('local.api')?.status !== 'failed';
    return answers ? fine : failing('no answer');
  }

  private reaches(from: SimulatedNode, to: SimulatedNode): boolean {
    return from.prober !== null && !lostNic(from) && !lostNic(to) && !this.cutFrom.has(from.config.node);
  }

  private linkIsUp(): boolean {
    return !lostNic(this.leader) && !lostNic(this.follower) && this.cutFrom.size === 0;
  }

  /** Takes in what the peer's beats say; tells whether that is new. */
  private hear(node: SimulatedNode): boolean {
    const peer = this.peerOf(node);
    if (!this.reaches(peer, node)) return false;
    const verdict = peer.machine?.memory.verdict;
    const value = {
      peer_state: verdict?.state ?? null,
      peer_reason: verdict?.reason ?? null,
      peer_leaving: peer.leaving,
      peer_role: peer.config.role,
      peer_cluster: peer.config.cluster,
    };
    const { restartingUntilMs } = peer;
    const said = `${JSON.stringify(value)} ${restartingUntilMs}`;
    const isNews = said !== node.heard.said;
    node.heard = { said, value, restartingUntilMs, stateSinceMs: verdict?.sinceMs ?? this.nowMs };
    return isNews;
  }

  private beatValue({ heard }: SimulatedNode): Signal['value'] {
    const { value, restartingUntilMs, stateSinceMs } = heard;
    return {
      ...value,
      peer_state_age_ms: this.nowMs - stateSinceMs,
      peer_restarting_ms: restartingUntilMs === null ? null : Math.max(restartingUntilMs - this.nowMs, 0),
    };
  }

  /** Compares the log with the peer's, or alone when the machine waits for nothing else; merges what was written alone. */
  private runDatastore(node: SimulatedNode): void {
    const isUp = this.linkIsUp() && !this.linkStalls && this.nodes().every(({ machine }) => machine);
    node.linkUpSinceMs = isUp ? (node.linkUpSinceMs ?? this.nowMs) : null;
    if (!node.machine) return;
    const works = this.linkWorks(node, 0);
    const { verdict, peer } = node.machine.memory;
    if (works) node.neverJoined = false;
    const waits = verdict.reason === 'unverified-log' && this.nowMs - verdict.reasonSinceMs >= tickMs;
    if (works || (waits && !peer.heard)) node.verified = true;
    if (verdict.state === 'LeaderRX' && !works) node.wroteAlone = true;
    else if (this.linkWorks(node, this.mergeMs)) node.wroteAlone = false;
    this.tellDatastore(node);
  }

  private linkWorks({ linkUpSinceMs }: SimulatedNode, forMs: number): boolean {
    return linkUpSinceMs !== null && this.nowMs - linkUpSinceMs >= linkUpMs + forMs;
  }

  private tellDatastore(node: SimulatedNode): void {
    const datastore = {
      logVerified: node.verified && !node.neverJoined,
      notices: [],
      neverJoined: node.neverJoined,
      logLink: this.linkWorks(node, 0) ? ('works' as const) : ('down' as const),
      reconverged: !node.wroteAlone,
      failure: node.failure,
    };
    this.input(node, { kind: 'datastore', nowMs: this.nowMs, datastore });
  }

  private input(node: SimulatedNode, input: Input): void {
    if (node.machine) this.take(node, step(node.machine, input));
  }

  private take(node: SimulatedNode, { machine, effects }: Stepped): void {
    node.machine = machine;
    for (const effect of effects) this.obey(node, effect);
    this.onStep(this);
  }

  private obey(node: SimulatedNode, effect: Effect): void {
    if (effect.kind === 'persist') {
      node.saved = memorySchema.parse(JSON.parse(JSON.stringify(effect.memory)));
    } else if (effect.kind === 'enter') {
      const { from, to, reason, failure, reasonSinceMs: sinceMs } = effect;
      const text = reason && reasonText(reason, { peer: node.config.peer, sinceMs, failure });
      const change = from === to ? to : `${from} -> ${to}`;
      this.log(node, `${change}${reason ? `  ${reason}: ${text}` : ''}`);
    }
  }

  private log(node: SimulatedNode, text: string): void {
    const seconds = ((this.nowMs - startMs) / 1000).toFixed(1);
    this.transcript.push(`${seconds.padStart(6)}s ${node.config.node} ${text}`);
  }
}

function describe({ config, machine, prober }: SimulatedNode): string {
  if (!machine) return `${config.node} ${prober ? 'shim down' : 'off'}`;
  const { state, reason } = machine.memory.verdict;
  const warnings = machine.warnings.map(({ text }) => `\n  warning: ${text}`).join('');
  return `${config.node} ${state}${reason ? ` (${reason})` : ''}${warnings}`;
}

function lostNic(node: SimulatedNode): boolean {
  return node.broken.get('local.nic')?.status === 'failed';
}

/** `joint` and `warning-only` are kinds of a failure, all else is its text. */
function wording(check: string, word: string): Partial<Condition> {
  if (word === 'joint') {
    return { text: `${check}: carrier lost`, value: { kind: 'carrier', carrier_loss: 'joint' } };
  }
  if (word === 'warning-only') return { text: `${check} failed`, severity: 'warning' };
  return { text: word || `${check} failed` };
}

function checksOf(what: string): string[] {
  if (what === 'north-south') return testPoints.map((name) => `northsouth.${name}`);
  if (testPoints.includes(what)) return [`northsouth.${what}`];
  return [`local.${what}`];
}

function milliseconds(time = ''): number {
  const [, amount, unit] = /^(\d+)(ms|s|m)$/.exec(time) ?? [];
  if (!amount) throw new Error(`"${time}" is not a time`);
  return Number(amount) * (unit === 'ms' ? 1 : unit === 's' ? 1_000 : 60_000);
}
