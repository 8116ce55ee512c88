import { existsSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { nodePair } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import { nodePaths } from '../../shared/paths.ts';
import { nodeCommand } from '../node-command.ts';

export function leaveCommand(): Command {
  const description = 'say that the next stop of this node is for long: its peer then acts at once';
  return nodeCommand('leave', description, (config, { node }) => {
    const { self, peer } = nodePair(config, node);
    const { root, leaveMark } = nodePaths(config, node);
    if (!existsSync(root)) throw new UserError(`${self.name} has never run here: there is no ${root}`);
    writeFileSync(leaveMark, `${new Date().toISOString()}\n`, { mode: 0o600 });
    console.log(`stop ${self.name} now: ${peer.name} will not wait for it to come back`);
  });
}
