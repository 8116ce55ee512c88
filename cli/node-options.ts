import { Option } from 'commander';
import { loadConfiguration } from '../shared/config/load.ts';
import { nodePair, type TwoNodeConfiguration } from '../shared/config/schema.ts';
import { UserError } from '../shared/lifecycle.ts';

/** What every command for one node is given. */
export interface NodeFlags {
  config: string;
  node: string;
}

export const defaultConfigFile = '/etc/twonode/twonode.yaml';

export function configOption(): Option {
  return new Option('--config <file>', 'configuration file, the same on both nodes').default(
    defaultConfigFile,
  );
}

export function nodeOption(): Option {
  return new Option('--node <name>', 'name of this node in the configuration').makeOptionMandatory();
}

/**
 * Reads the configuration and checks that the node is in it.
 * @throws ConfigurationError, UserError
 */
export function loadNode({ config: file, node }: NodeFlags): TwoNodeConfiguration {
  const config = loadConfiguration(file);
  try {
    nodePair(config, node);
  } catch (error) {
    throw new UserError(`${file}: ${(error as Error).message}`);
  }
  return config;
}
