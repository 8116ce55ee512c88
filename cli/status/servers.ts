import { existsSync } from 'node:fs';
import { loadConfiguration } from '../../shared/config/load.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import { clusterFile, defaultDataDir, readClusterFile } from '../cluster/cluster-file.ts';
import { defaultConfigFile, loadNode } from '../node-options.ts';

/** Where `twonode status` may be told to look. */
export interface StatusFlags {
  config?: string;
  node?: string;
  nats?: string;
  dataDir?: string;
}

/**
 * The nats-servers to ask: those of the flags, else of the cluster that `npm start` runs in this clone, else of the
 * configuration in its usual place.
 * @throws ConfigurationError, UserError when there is nothing to ask
 */
export function serversToAsk({ config, node, nats, dataDir }: StatusFlags): string[] {
  if (nats) return [nats];
  if (config) return serversOf(node ? loadNode({ config, node }) : loadConfiguration(config), node);
  if (dataDir || existsSync(clusterFile(defaultDataDir))) {
    return readClusterFile(dataDir ?? defaultDataDir).nodes.map((running) => running.nats);
  }
  if (existsSync(defaultConfigFile)) return serversOf(loadConfiguration(defaultConfigFile), node);
  throw new UserError(
    `found no cluster: "npm start" runs one in this clone, or name one with --config FILE or --nats URL`,
  );
}

/**
 * The configuration that belongs to the nodes to ask: the file of the flag, else of the cluster of `npm start`, else the usual.
 * @throws UserError when the folder of the flag has no cluster
 */
export function configurationToRead({ config, dataDir }: StatusFlags): string {
  if (config) return config;
  if (dataDir || existsSync(clusterFile(defaultDataDir)))
    return readClusterFile(dataDir ?? defaultDataDir).config;
  return defaultConfigFile;
}

/** Without a node's name all its servers on this machine; both nodes use the same port unless they share a machine. */
function serversOf(config: TwoNodeConfiguration, node: string | undefined): string[] {
  const nodes = node ? [nodePair(config, node).self] : config.nodes;
  return [...new Set(nodes.map(({ ports }) => `nats://127.0.0.1:${ports.nats}`))];
}
