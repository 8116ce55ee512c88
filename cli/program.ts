import { basename } from 'node:path';
import { Command } from 'commander';
import { backupCommand } from './commands/backup.ts';
import { conflictsCommand } from './commands/conflicts.ts';
import { etcdCommand } from './commands/etcd.ts';
import { faultCommand } from './commands/fault.ts';
import { historyCommand } from './commands/history.ts';
import { initCommand } from './commands/init.ts';
import { leaveCommand } from './commands/leave.ts';
import { probeCommand } from './commands/probe.ts';
import { proberCommand } from './commands/prober.ts';
import { promoteCommand } from './commands/promote.ts';
import { restoreCommand } from './commands/restore.ts';
import { runCommand } from './commands/run.ts';
import { shimCommand } from './commands/shim.ts';
import { statusCommand } from './commands/status.ts';
import { webhookCommand } from './commands/webhook.ts';
import { whyCommand } from './commands/why.ts';

/** The twonode command. Errors are thrown, see errors.ts. */
export function createProgram(): Command {
  const isPlugin = basename(process.argv[1] ?? '').startsWith('kubectl-');
  const program = new Command(isPlugin ? 'kubectl twonode' : 'twonode')
    .description('Kubernetes on exactly two machines: an etcd v3 datastore on NATS JetStream')
    .version('0.1.0')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'twonode: ')) })
    .exitOverride();
  for (const command of [
    runCommand(),
    proberCommand(),
    shimCommand(),
    webhookCommand(),
    etcdCommand(),
    initCommand(),
    leaveCommand(),
    promoteCommand(),
    statusCommand(),
    historyCommand(),
    conflictsCommand(),
    backupCommand(),
    restoreCommand(),
    probeCommand(),
    whyCommand(),
    faultCommand(),
  ]) {
    program.addCommand(command);
  }
  inheritSettings(program);
  return program;
}

/** commander passes settings on only to commands that are made after them. */
function inheritSettings(parent: Command): void {
  for (const command of parent.commands) inheritSettings(command.copyInheritedSettings(parent));
}
