import { Command } from 'commander';
import { reportError } from '../errors.ts';
import { exitStatusOf, overviewOf } from '../status/overview.ts';
import { renderOverview } from '../status/render.ts';
import type { StatusFlags } from '../status/servers.ts';

export function statusCommand(): Command {
  return new Command('status')
    .description('show both nodes: state, since when, why, and what is allowed')
    .option('--config <file>', 'configuration file of the node')
    .option('--node <name>', 'name of this node in the configuration')
    .option('--nats <url>', 'ask through this nats-server, such as nats://127.0.0.1:4222')
    .option('--data-dir <folder>', 'folder of a cluster of "npm start"')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit status: 0 healthy, 1 restricted, 2 impaired, 3 unknown.')
    .action(async ({ json, ...flags }: StatusFlags & { json?: boolean }) => {
      process.exitCode = await printStatus(flags, json ?? false).catch((error) => {
        reportError(error);
        return exitStatusOf.unknown;
      });
    });
}

/** Returns the exit status. */
async function printStatus(flags: StatusFlags, json: boolean): Promise<number> {
  const { serversToAsk } = await import('../status/servers.ts');
  const { askStates } = await import('../status/ask.ts');
  const servers = serversToAsk(flags);
  const overview = overviewOf(await askStates(servers));
  if (json) console.log(JSON.stringify(overview, null, 2));
  else if (overview.nodes.length === 0)
    console.error(`twonode: no shim answers through ${servers.join(', ')}`);
  else process.stdout.write(renderOverview(overview, Date.now()));
  return exitStatusOf[overview.health];
}
