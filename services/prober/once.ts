import { connect } from 'nats';
import { z } from 'zod';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { type Signal, signalSchema } from '../../shared/messages.ts';
import { nodePaths } from '../../shared/paths.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { subjects } from '../../shared/subjects.ts';
import { probesOf } from './catalog.ts';
import { type Finding, findingsText, verdictOf } from './findings.ts';
import { type Probe, probeKey } from './probe.ts';
import { runProbe } from './schedule.ts';
import { faultOf, unknown, type Verdict } from './verdict.ts';

/** Longest time to wait for the running prober's word on the beat, in milliseconds. */
const askLimitMs = 1_000;

/**
 * Runs every probe of a node here and now, once, side by side. The beat is the exception: only one process can listen on
 * its port, and a beat sent from here would tell the peer that this node's prober lives. So the running prober is asked.
 * @returns what to print, and the exit status: 0 all well, 1 warnings, 2 a fatal failure, 3 something fatal is unknown
 * @throws RangeError when the configuration has no such node
 */
export async function probeOnce(
  config: TwoNodeConfiguration,
  node: string,
  { json }: { json: boolean },
): Promise<{ text: string; exitCode: number }> {
  const beat = await askForBeat(config, node);
  const peerApi = z.string().nullable().catch(null).parse(beat.value.peer_api);
  const probes = probesOf(config, node, () => (beat.status === 'ok' ? peerApi : null));
  const findings = [...(await Promise.all(probes.map(find))), beatFinding(config, node, beat)];
  const exitCode = verdictOf(findings);
  if (!json) return { text: findingsText(node, new Date(), findings), exitCode };
  return { text: JSON.stringify({ v: 1, node, at: new Date().toISOString(), findings }, null, 2), exitCode };
}

async function find(probe: Probe): Promise<Finding> {
  const { how, advice, severity } = probe;
  const lacks = (await probe.lacks?.()) ?? null;
  const { verdict, durationMs } = await new Promise<{ verdict: Verdict; durationMs: number }>((resolve) => {
    void runProbe(probe, resolve);
  });
  return {
    check: probeKey(probe),
    how,
    advice,
    severity,
    lacks,
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
