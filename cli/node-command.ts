import { Command } from 'commander';
import type { TwoNodeConfiguration } from '../shared/config/schema.ts';
import { configOption, loadNode, type NodeFlags, nodeOption } from './node-options.ts';

/** A command for one node: it takes `--config` and `--node`, and `run` gets the configuration that they name. */
export function nodeCommand(
  name: string,
  description: string,
  run: (config: TwoNodeConfiguration, flags: NodeFlags) => void | Promise<void>,
): Command {
  return new Command(name)
    .description(description)
    .addOption(configOption())
    .addOption(nodeOption())
    .action((flags: NodeFlags) => run(loadNode(flags), flags));
}
