import { Command } from 'commander';
import { configOption, loadNode, type NodeFlags, nodeOption } from '../node-options.ts';

export function proberCommand(): Command {
  return new Command('prober')
    .description('check this node, the link and the world, and publish the results')
    .addOption(configOption())
    .addOption(nodeOption())
    .action(async (flags: NodeFlags) => {
      const config = loadNode(flags);
      const { runProber } = await import('../../services/prober/main.ts');
      await runProber(config, flags.node);
    });
}
