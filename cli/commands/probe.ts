import type { Command } from 'commander';
import { nodeCommand } from '../node-command.ts';

export function probeCommand(): Command {
  const command: Command = nodeCommand(
    'probe',
    'run all probes of a node here and now, and say what was found and what to do',
    async (config, { node }) => {
      const { probeOnce } = await import('../../services/prober/once.ts');
      const { text, exitCode } = await probeOnce(config, node, { json: command.opts().json ?? false });
      process.stdout.write(`${text}\n`);
      process.exitCode = exitCode;
    },
  );
  return command
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExit status: 0 well, 1 warnings, 2 a fatal failure, 3 something fatal is unknown.',
    );
}
