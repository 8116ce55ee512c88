import type { Command } from 'commander';
import { nodeCommand } from '../node-command.ts';

export function proberCommand(): Command {
  return nodeCommand(
    'prober',
    'check this node, the link and the world, and publish the results',
    async (config, { node }) => {
      const { runProber } = await import('../../services/prober/main.ts');
      await runProber(config, node);
    },
  );
}
