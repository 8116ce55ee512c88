import type { Command } from 'commander';
import { nodePair } from '../../shared/config/schema.ts';
import { nodePaths } from '../../shared/paths.ts';
import { ensureClusterKey, markNewCluster } from '../node/init.ts';
import { nodeCommand } from '../node-command.ts';

export function initCommand(): Command {
  const description = 'make the cluster key, and let the empty store of the leader begin a new cluster, once';
  return nodeCommand('init', description, (config, flags) => {
    const { self, peer } = nodePair(config, flags.node);
    const { clusterKey } = nodePaths(config, self.name);
    console.log(
      ensureClusterKey(clusterKey)
        ? `made the cluster key ${clusterKey}; copy it to ${peer.name}`
        : `the cluster key ${clusterKey} is there already`,
    );
    if (self.role === 'follower') {
      console.log(`${self.name} is the follower: it takes everything else from ${peer.name}`);
      return;
    }
    markNewCluster(config, self.name);
    console.log(`the next start of ${self.name} begins a new cluster`);
  });
}
