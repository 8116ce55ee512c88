import { fileURLToPath } from 'node:url';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { onShutdown } from '../../shared/lifecycle.ts';
import { createLogger } from '../../shared/logger.ts';
import type { NatsServer } from '../../shared/nats-server/child.ts';
import { watchFreeDisk } from '../../shared/nats-server/free-disk-watch.ts';
import { nodePaths } from '../../shared/paths.ts';
import { requireFreePorts } from '../../shared/process/ports.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { type Supervised, supervise } from '../../shared/process/supervise.ts';
import type { ServiceName } from '../../shared/status-endpoint.ts';
import type { NodeFlags } from '../node-options.ts';
import { startNodeNats } from './node-nats.ts';
import { reportPids } from './report-pids.ts';
import { type NodePids, services } from './services.ts';
import { waitUntilUp } from './wait-until-up.ts';
import { servicePorts } from './wanted-ports.ts';

const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
const serviceStopLimitMs = 8_000;
/** More than the services and then the nats-server may take. */
const stopLimitMs = 20_000;

/**
 * Runs one node: its nats-server, and its services as children that are started again when they end. Resolves when all
 * are up; SIGTERM stops them. A service that ends before it is up is started again like any other.
 * @throws UserError when a port is in use, or when the nats-server does not start
 */
export async function runNode(config: TwoNodeConfiguration, flags: NodeFlags): Promise<void> {
  const { self } = nodePair(config, flags.node);
  const logger = createLogger('run', config.logLevel, { node: self.name });
  await requireFreePorts(servicePorts(self));
  const children = new Map<ServiceName, Supervised>();
  let nats: NatsServer | undefined;
  let up = false;
  const onPid = () => reportPids(up, currentPids(nats?.pid, children));
  nats = await startNodeNats(config, self.name, logger, onPid);

  const stopWatch = watchFreeDisk({
    monitoringPort: self.ports.monitoring,
    folder: nodePaths(config, self.name).nats,
    minFreePercent: config.probes.storage.failedFreePercent,
    restart: () => nats.restart(),
    logger,
  });
  const stop = async () => {
    stopWatch();
    await Promise.all([...children.values()].map((child) => child.stop(serviceStopLimitMs)));
    await nats.stop();
  };
  onShutdown(logger, stopLimitMs, stop);
  for (const { name } of services) {
    const start = () => spawnService(name, flags);
    children.set(name, supervise({ name, logger, start, onPid }));
  }
  for (const { name, healthPort } of services) await waitUntilUp(name, healthPort(self.ports), logger);
  up = true;
  onPid();
  logger.info('all services are up');
}

function spawnService(name: ServiceName, { config, node }: NodeFlags) {
  return spawnTethered(process.execPath, [program, name, '--config', config, '--node', node], {
    deathSignal: 'TERM',
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

function currentPids(nats: number | undefined, children: Map<ServiceName, Supervised>): NodePids {
  const pids: NodePids = { run: process.pid };
  if (nats !== undefined) pids['nats-server'] = nats;
  for (const [name, { pid }] of children) if (pid !== undefined) pids[name] = pid;
  return pids;
}
