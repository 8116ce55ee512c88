import type { Command } from 'commander';
import { nodeCommand } from '../node-command.ts';

export function shimCommand(): Command {
  return nodeCommand(
    'shim',
    'serve the etcd v3 API and decide the state of this node',
    async (config, { node }) => {
      const { runShim } = await import('../../services/shim/main.ts');
      await runShim(config, node);
    },
  );
}
