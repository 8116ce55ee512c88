import { Command } from 'commander';
import { configOption, loadNode, type NodeFlags, nodeOption } from '../node-options.ts';

export function webhookCommand(): Command {
  return new Command('webhook')
    .description('tell people why a write is refused while the cluster is restricted')
    .addOption(configOption())
    .addOption(nodeOption())
    .action(async (flags: NodeFlags) => {
      const config = loadNode(flags);
      const { runWebhook } = await import('../../services/webhook/main.ts');
      await runWebhook(config, flags.node);
    });
}
