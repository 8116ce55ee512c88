import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import type { NatsConnection } from 'nats';
import { readBootId } from '../../shared/boot-id.ts';
import { connectBus } from '../../shared/bus.ts';
import { configurationDigest } from '../../shared/config/load.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { onShutdown } from '../../shared/lifecycle.ts';
import { createLogger, type Logger } from '../../shared/logger.ts';
import { decodeMessage, stateSchema } from '../../shared/messages.ts';
import { createRegistry, serveMetrics } from '../../shared/metrics.ts';
import { nodePaths } from '../../shared/paths.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { serveStatus } from '../../shared/status-endpoint.ts';
import { subjects } from '../../shared/subjects.ts';
import type { BeatThreadData } from './beat/protocol.ts';
import { BusSender } from './bus-sender.ts';
import { readMemory } from './memory.ts';
import { Prober } from './prober.ts';

/** What the peer is told when this node is asked to stop: it waits that long before it takes the silence for death. */
const restartingMs = 10_000;
/** The prober sleeps most of the time, and must not be woken 100 times a second only to see how well it sleeps. */
const eventLoopPrecisionMs = 1_000;
/** Longest time for stopping, in milliseconds. */
const stopLimitMs = 3_000;

/**
 * Runs the prober of a node until the process is asked to stop. It measures and beats at once; what it finds is published
 * as soon as nats-server is there.
 * @returns when it measures
 * @throws UserError when the cluster key cannot be read
 * @throws Error with code EADDRINUSE when the metrics port is taken
 */
export async function runProber(config: TwoNodeConfiguration, node: string): Promise<void> {
  const { self } = nodePair(config, node);
  const logger = createLogger('prober', config.logLevel, { node });
  const clusterKey = readClusterKey(nodePaths(config, node).clusterKey);
  const sender = new BusSender();
  const bootId = readBootId();
  const memory = readMemory(nodePaths(config, node).proberFile, bootId);
  const registry = createRegistry(eventLoopPrecisionMs);
  const prober = new Prober({
    config,
    node,
    bootId,
    memory,
    registry,
    logger,
    send: (subject, data) => sender.send(subject, data),
    beat: beatData(config, node, deriveSecret(clusterKey, 'beat'), bootId, memory),
  });
  const metrics = await serveMetrics(self.ports.proberMetrics, {
    registry,
    healthy: () => prober.fault(),
    ready: () => prober.fault() ?? (sender.connected() ? null : 'waits for nats-server'),
  });
  // It was meant for the last stop, which was none.
  const { leaveMark } = nodePaths(config, node);
  rmSync(leaveMark, { force: true });
  prober.start();
  onShutdown(logger, stopLimitMs, async () => {
    await prober.stop(existsSync(leaveMark) ? null : restartingMs);
    rmSync(leaveMark, { force: true });
    metrics.close();
    await sender.close();
  });
  void joinBus(config, node, deriveSecret(clusterKey, 'services'), logger).then((connection) => {
    sender.attach(connection, () => prober.publishAll());
    serve(connection, prober, node, logger);
  });
  logger.info({ checks: prober.checks() }, 'measuring');
}

function beatData(
  config: TwoNodeConfiguration,
  node: string,
  secret: string,
  bootId: string,
  memory: ReturnType<typeof readMemory>,
): BeatThreadData {
  const { self, peer } = nodePair(config, node);
  const { interval, suspectAfter, downAfter, upWindow } = config.probes.beat;
  return {
    identity: {
      self: node,
      peer: peer.name,
      bootId,
      run: randomUUID(),
      secret,
      configDigest: configurationDigest(config),
      role: self.role,
      cluster: config.cluster,
      settings: { interval, suspectAfter, downAfter, upWindow },
    },
    bind: { address: self.bind ?? self.address, port: self.ports.beat },
    peer: { address: peer.address, port: peer.ports.beat },
    resumed: memory.checks['eastwest.beat']?.status === 'ok',
  };
}

function joinBus(config: TwoNodeConfiguration, node: string, password: string, logger: Logger) {
  const { ports } = nodePair(config, node).self;
  const url = `nats://127.0.0.1:${ports.nats}`;
  return connectBus({ url, name: 'prober', user: 'twonode', password, logger });
}

/** Answers `status`, and takes the own shim's state for the beats. */
function serve(connection: NatsConnection, prober: Prober, node: string, logger: Logger): void {
  void serveStatus(connection, 'prober', node, () => ({ v: 1, node, signals: prober.current() }));
  connection.subscribe(subjects.state(node), {
    callback: (error, message) => {
      if (error) return;
      const state = decodeMessage(stateSchema, message.data);
      if (state.ok && state.value.node === node) prober.tellState(state.value);
      else
        logger.warn({ fault: state.ok ? 'of another node' : state.error }, 'a state message is not usable');
    },
  });
}
