import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { nodeCommand } from '../node-command.ts';

interface ProbeFlags {
  once?: boolean;
  json?: boolean;
}

/** Time from the end of one look to the begin of the next, in milliseconds. */
const pauseMs = 2_000;
/** Clears a terminal, and puts the cursor into its upper left corner. */
const clearScreen = '\x1b[H\x1b[2J';

export function probeCommand(): Command {
  const command: Command = nodeCommand(
    'probe',
    'run all probes of a node here and now, and say what was found and what to do; again and again, until Ctrl-C',
    async (config, { node }) => {
      const { Survey } = await import('../../services/prober/survey.ts');
      const { findingsJson, findingsText, verdictOf } = await import('../../services/prober/findings.ts');
      const { once = false, json = false } = command.opts<ProbeFlags>();
      const survey = new Survey(config, node);
      const look = async () => {
        const findings = await survey.run();
        process.exitCode = verdictOf(findings);
        return json
          ? findingsJson(node, new Date(), findings, once ? 2 : 0)
          : findingsText(node, new Date(), findings);
      };
      if (once) process.stdout.write(`${await look()}\n`);
      else await repeat(look, json);
    },
  );
  return command
    .option('--once', 'look once, and end')
    .option('--json', 'print JSON; without --once a line for each look')
    .addHelpText(
      'after',
      '\nExit status: 0 well, 1 warnings, 2 a fatal failure, 3 something fatal is unknown; after Ctrl-C that of the last look.',
    );
}

/** Prints one look after the other until Ctrl-C. A terminal shows the newest only, as `watch` does. */
async function repeat(look: () => Promise<string>, json: boolean): Promise<never> {
  process.once('SIGINT', () => process.exit());
  const clear = process.stdout.isTTY && !json ? clearScreen : '';
  for (;;) {
    const printed = await look();
    process.stdout.write(`${clear}${printed}\n${json || clear ? '' : '\n'}`);
    await delay(pauseMs);
  }
}
