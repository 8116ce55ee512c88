import { findBinary } from '../../shared/binaries/find.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import type { Logger } from '../../shared/logger.ts';
import { type NatsServer, startNatsServer } from '../../shared/nats-server/child.ts';
import { natsServerConfig } from '../../shared/nats-server/config.ts';
import { nodePaths } from '../../shared/paths.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';

/**
 * Starts the nats-server of a node.
 * @throws UserError when the cluster key cannot be read, a port is in use, or the server does not start
 */
export async function startNodeNats(
  config: TwoNodeConfiguration,
  node: string,
  logger: Logger,
  onPid: () => void,
): Promise<NatsServer> {
  const { self } = nodePair(config, node);
  const paths = nodePaths(config, node);
  const key = readClusterKey(paths.clusterKey);
  const passwords = { services: deriveSecret(key, 'services'), leaf: deriveSecret(key, 'leaf') };
  const leaf = { host: self.bind ?? self.address, port: self.ports.leaf };
  return startNatsServer({
    binary: await findBinary('nats-server'),
    config: natsServerConfig(config, node, paths.nats, passwords),
    folder: paths.nats,
    ports: self.ports,
    ...(self.role === 'leader' ? { leaf } : {}),
    logger,
    onPid,
  });
}
