import { Command } from 'commander';
import { configOption, loadNode, type NodeFlags, nodeOption } from '../node-options.ts';

export function shimCommand(): Command {
  return new Command('shim')
    .description('serve the etcd v3 API and decide the state of this node')
    .addOption(configOption())
    .addOption(nodeOption())
    .action(async (flags: NodeFlags) => {
      const config = loadNode(flags);
      const { runShim } = await import('../../services/shim/main.ts');
      await runShim(config, flags.node);
    });
}
