import type { Command } from 'commander';
import { nodeCommand } from '../node-command.ts';

export function runCommand(): Command {
  const description = 'run the services of one node in the foreground, with its nats-server';
  return nodeCommand('run', description, async (config, flags) => {
    const { runNode } = await import('../node/run-node.ts');
    await runNode(config, flags);
  });
}
