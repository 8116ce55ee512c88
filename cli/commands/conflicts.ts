import { Command, InvalidArgumentError } from 'commander';
import type { StatusFlags } from '../status/servers.ts';

/** `twonode conflicts list|show|apply|drop`: what both nodes changed while apart (docs/conflicts.md). */
export function conflictsCommand(): Command {
  const conflicts = new Command('conflicts').description(
    'keys that both nodes changed while apart: see both versions, take one',
  );
  conflicts.addCommand(listCommand());
  conflicts.addCommand(showCommand());
  conflicts.addCommand(applyCommand());
  conflicts.addCommand(dropCommand());
  return conflicts;
}

function subcommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--config <file>', 'configuration file of the node')
    .option('--node <name>', 'ask this node')
    .option('--nats <url>', 'ask through this nats-server, such as nats://127.0.0.1:4222')
    .option('--data-dir <folder>', 'folder of a cluster of "npm start"');
}

function listCommand(): Command {
  return subcommand('list', 'list the conflicts that nobody has ended')
    .option('--all', 'also routine ones, over what controllers rewrite anyway')
    .option('--json', 'print JSON')
    .action(async ({ all, json, ...flags }: StatusFlags & { all?: boolean; json?: boolean }) => {
      const { askConflicts } = await import('../conflicts/ask.ts');
      const { renderList } = await import('../conflicts/render.ts');
      const found = await askConflicts(flags, { v: 1, op: 'list' });
      const shown = all ? found : found.filter(({ routine }) => !routine);
      if (json) console.log(JSON.stringify(shown, null, 2));
      else process.stdout.write(renderList(shown, found.length - shown.length, Date.now()));
    });
}

function showCommand(): Command {
  return subcommand('show', 'show one conflict: both versions, who wrote them and when, and how to end it')
    .argument('<id>', 'as list shows it')
    .option('--show-values', 'also the values of Secrets')
    .option('--json', 'print JSON, with the values in base64')
    .action(
      async (
        id: string,
        { showValues, json, ...flags }: StatusFlags & { showValues?: boolean; json?: boolean },
      ) => {
        const { askConflicts } = await import('../conflicts/ask.ts');
        const { renderConflict } = await import('../conflicts/render.ts');
        const request = { v: 1, op: 'show', id, secrets: showValues ?? false } as const;
        for (const conflict of await askConflicts(flags, request)) {
          if (json) console.log(JSON.stringify(conflict, null, 2));
          else process.stdout.write(renderConflict(conflict));
        }
      },
    );
}

function applyCommand(): Command {
  return subcommand('apply', 'write the version that was not taken, and end the conflict')
    .argument('<id>', 'as list shows it')
    .requiredOption(
      '--revision <number>',
      'revision at which you saw the key, as show tells: refused if it has changed since',
      revisionOf,
    )
    .action(async (id: string, { revision, ...flags }: StatusFlags & { revision: number }) => {
      const { askConflicts } = await import('../conflicts/ask.ts');
      await askConflicts(flags, { v: 1, op: 'apply', id, revision });
      console.log(`${id}: written, the conflict is ended`);
    });
}

function dropCommand(): Command {
  return subcommand('drop', 'leave the key as it is, and end the conflict')
    .argument('<id>', 'as list shows it')
    .action(async (id: string, flags: StatusFlags) => {
      const { askConflicts } = await import('../conflicts/ask.ts');
      await askConflicts(flags, { v: 1, op: 'drop', id });
      console.log(`${id}: dropped, the key stays as it is`);
    });
}

function revisionOf(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('expected a revision.');
  return value;
}
