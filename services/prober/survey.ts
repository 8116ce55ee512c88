import { connect } from 'nats';
import { z } from 'zod';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { type Signal, signalSchema } from '../../shared/messages.ts';
import { nodePaths } from '../../shared/paths.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { subjects } from '../../shared/subjects.ts';
import { probesOf } from './catalog.ts';
import type { Finding } from './findings.ts';
import { type Probe, probeKey } from './probe.ts';
import { lacksOf } from './rights.ts';
import { runProbe } from './schedule.ts';
import { faultOf, unknown, type Verdict } from './verdict.ts';

/** Longest time to wait for the running prober's word on the beat, in milliseconds. */
const askLimitMs = 1_000;

/**
 * Runs every probe of a node here and now, side by side. The beat is the exception: only one process can listen on its
 * port, and a beat sent from here would tell the peer that this node's prober lives. So the running prober is asked.
 */
export class Survey {
  readonly #config: TwoNodeConfiguration;
  readonly #node: string;
  readonly #probes: Probe[];
  /** By check; asked once, since what a process lacks does not change while it runs. */
  #lacks: Promise<Map<string, string>> | null = null;
  #peerApi: string | null = null;

  /** @throws RangeError when the configuration has no such node */
  constructor(config: TwoNodeConfiguration, node: string) {
    this.#config = config;
    this.#node = node;
    this.#probes = probesOf(config, node, () => this.#peerApi);
  }

  /** One round: a finding for each check. */
  async run(): Promise<Finding[]> {
    this.#lacks ??= lacksOf(this.#probes).then(
      (lacks) => new Map(lacks.map(({ check, lacks: what }) => [check, what])),
    );
    const lacks = await this.#lacks;
    const beat = await askForBeat(this.#config, this.#node);
    this.#peerApi =
      beat.status === 'ok' ? z.string().nullable().catch(null).parse(beat.value.peer_api) : null;
    const found = await Promise.all(this.#probes.map((probe) => find(probe, lacks)));
    return [...found, beatFinding(this.#config, this.#node, beat)];
  }
}

async function find(probe: Probe, lacks: Map<string, string>): Promise<Finding> {
  const { how, advice, severity } = probe;
  const check = probeKey(probe);
  const { verdict, durationMs } = await new Promise<{ verdict: Verdict; durationMs: number }>((resolve) => {
    void runProbe(probe, resolve);
  });
  return {
    check,
    how,
    advice,
    severity,
    lacks: lacks.get(check) ?? null,
    durationMs: Math.round(durationMs),
    ...verdict,
  };
}

function beatFinding(config: TwoNodeConfiguration, node: string, beat: Verdict): Finding {
  const { peer } = nodePair(config, node);
  return {
    check: 'eastwest.beat',
    how: 'what the running prober hears (UDP)',
    advice: `look whether UDP port ${peer.ports.beat} passes, and whether the prober of ${peer.name} runs`,
    severity: 'fatal',
    lacks: null,
    durationMs: 0,
    ...beat,
  };
}

const statusSchema = z.object({ signals: z.array(signalSchema) });

async function askForBeat(config: TwoNodeConfiguration, node: string): Promise<Verdict> {
  try {
    const signals = await askProber(config, node);
    const beat = signals.find(({ area, check }) => area === 'eastwest' && check === 'beat');
    if (!beat) return unknown('the prober has just started');
    return { status: beat.status, reason: beat.reason, value: beat.value };
  } catch (error) {
    return unknown(`the prober of ${node} cannot be asked (${faultOf(error)})`);
  }
}

async function askProber(config: TwoNodeConfiguration, node: string): Promise<Signal[]> {
  const { ports } = nodePair(config, node).self;
  const key = readClusterKey(nodePaths(config, node).clusterKey);
  const bus = await connect({
    servers: `nats://127.0.0.1:${ports.nats}`,
    user: 'twonode',
    pass: deriveSecret(key, 'services'),
    timeout: askLimitMs,
    reconnect: false,
  });
  try {
    const answer = await bus.request(subjects.status(node, 'prober'), '', { timeout: askLimitMs });
    return statusSchema.parse(answer.json()).signals;
  } finally {
    await bus.close();
  }
}
