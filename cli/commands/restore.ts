import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { nodePair } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import { createLogger } from '../../shared/logger.ts';
import { singleNode } from '../../shared/nats-server/names.ts';
import { etcdShimFile, nodePaths } from '../../shared/paths.ts';
import type { RestoreTarget } from '../backup/restore-store.ts';
import { configOption, loadNode, type NodeFlags } from '../node-options.ts';

type RestoreFlags = { config: string; node?: string; dataDir?: string };

const quotaDefaultBytes = 2 * 1024 ** 3;

export function restoreCommand(): Command {
  return new Command('restore')
    .description('make the store of the leader, or of "twonode etcd", from a backup or an etcdctl snapshot')
    .argument('<file>', 'what "twonode backup" or "etcdctl snapshot save" made')
    .addOption(configOption())
    .option('--node <name>', 'name of the leader in the configuration; the node must be stopped')
    .addOption(
      new Option('--data-dir <folder>', 'folder of a "twonode etcd" instead of a node').conflicts('node'),
    )
    .action(async (file: string, flags: RestoreFlags) => {
      const target = targetOf(flags);
      const { restoreStore } = await import('../backup/restore-store.ts');
      const { keys, revision } = await restoreStore(file, target, createLogger('restore', 'warn'));
      console.log(`restored ${keys} keys into ${target.folder}; the revision goes on at ${revision}`);
    });
}

/** @throws UserError */
function targetOf({ config: file, node, dataDir }: RestoreFlags): RestoreTarget {
  if (dataDir !== undefined) {
    return {
      folder: join(resolve(dataDir), 'nats'),
      domain: singleNode,
      quotaBytes: quotaDefaultBytes,
      outdated: [etcdShimFile(dataDir)],
    };
  }
  if (node === undefined) throw new UserError('which store? give --node NAME, or --data-dir FOLDER');
  return nodeTarget({ config: file, node });
}

function nodeTarget(flags: NodeFlags): RestoreTarget {
  const config = loadNode(flags);
  const { self, peer } = nodePair(config, flags.node);
  if (self.role === 'follower') {
    throw new UserError(`${self.name} is the follower: restore on ${peer.name}, from which it takes all`);
  }
  const paths = nodePaths(config, self.name);
  const { quotaBackendBytes: quotaBytes } = config.datastore;
  const outdated = [paths.shimFile, paths.restoreMark];
  return { folder: paths.nats, domain: self.name, quotaBytes, outdated };
}
