import type { Command } from 'commander';
import { nodeCommand } from '../node-command.ts';

export function webhookCommand(): Command {
  return nodeCommand(
    'webhook',
    'tell people why a write is refused while the cluster is restricted',
    async (config, { node }) => {
      const { runWebhook } = await import('../../services/webhook/main.ts');
      await runWebhook(config, node);
    },
  );
}
