import { Command } from 'commander';
import { configOption, loadNode, type NodeFlags, nodeOption } from '../node-options.ts';

export function runCommand(): Command {
  return new Command('run')
    .description('run the services of one node in the foreground, with its nats-server')
    .addOption(configOption())
    .addOption(nodeOption())
    .action(async (flags: NodeFlags) => {
      const config = loadNode(flags);
      const { runNode } = await import('../node/run-node.ts');
      await runNode(config, flags);
    });
}
