import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import { nodePaths } from '../../shared/paths.ts';
import { isEmptyStore } from '../node/init.ts';
import { nodeCommand } from '../node-command.ts';
import type { NodeFlags } from '../node-options.ts';

/** The old leader is gone for good: a person says so, since no program can know it. See docs/roles.md. */
export function promoteCommand(): Command {
  const description = 'let the new leader of the configuration lead without the log of the old one';
  const run = (config: TwoNodeConfiguration, flags: NodeFlags & { oldLeaderIsWiped?: true }) => {
    const { self, peer } = nodePair(config, flags.node);
    const paths = nodePaths(config, self.name);
    if (self.role === 'follower') {
      throw new UserError(`${self.name} is the follower in ${flags.config}: exchange the roles there first`);
    }
    if (isEmptyStore(paths.nats)) throw new UserError(`${self.name} has no copy of the log (${paths.nats})`);
    if (!flags.oldLeaderIsWiped) {
      throw new UserError(
        `while ${peer.name} or its disk can come back no command is needed: start it as the follower, and it hands the log ` +
          `over. What it alone holds is lost otherwise. If ${peer.name} is gone for good: --old-leader-is-wiped`,
      );
    }
    writeFileSync(paths.promoteMark, `${new Date().toISOString()}\n`, { mode: 0o600 });
    console.log(`${self.name} leads without ${peer.name} as soon as it runs with this configuration`);
  };
  return nodeCommand('promote', description, run).option(
    '--old-leader-is-wiped',
    'what only the old leader held is given up: it is gone for good, or will come back with an empty store',
  );
}
