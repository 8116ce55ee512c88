import { Command } from 'commander';
import { nodePair } from '../../shared/config/schema.ts';
import { nodePaths } from '../../shared/paths.ts';
import { ensureClusterKey, markNewCluster } from '../node/init.ts';
import { configOption, loadNode, type NodeFlags, nodeOption } from '../node-options.ts';

export function initCommand(): Command {
  return new Command('init')
    .description('make the cluster key, and let the empty store of the leader begin a new cluster, once')
    .addOption(configOption())
    .addOption(nodeOption())
    .action((flags: NodeFlags) => {
      const config = loadNode(flags);
      const { self, peer } = nodePair(config, flags.node);
      const { clusterKey } = nodePaths(config, self.name);
      const made = ensureClusterKey(clusterKey);
      console.log(
        made
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
