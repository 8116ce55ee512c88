import { Command } from 'commander';
import type { TwoNodeConfiguration } from '../shared/config/schema.ts';
import { configOption, loadNode, type NodeFlags, nodeOption } from './node-options.ts';

/**
 * A command for one node: it takes `--config` and `--node`, and `run` gets the configuration that they name. `Flags` are those and
 * the ones that the caller adds.
 */
export function nodeCommand<Flags extends NodeFlags>(
  name: string,
  description: string,
  run: (config: TwoNodeConfiguration, flags: Flags) => void | Promise<void>,
): Command {
  return new Command(name)
    .description(description)
    .addOption(configOption())
    .addOption(nodeOption())
    .action((flags: Flags) => run(loadNode(flags), flags));
}
