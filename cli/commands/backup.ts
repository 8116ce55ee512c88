import { Command } from 'commander';
import { nodePair } from '../../shared/config/schema.ts';
import { configOption, loadNode, type NodeFlags, nodeOption } from '../node-options.ts';

export function backupCommand(): Command {
  return new Command('backup')
    .description('save what the datastore holds now, as one file with a checksum')
    .argument('<file>', 'file to make')
    .addOption(configOption())
    .addOption(nodeOption())
    .action(async (file: string, flags: NodeFlags) => {
      const { ports } = nodePair(loadNode(flags), flags.node).self;
      const { saveSnapshot } = await import('../backup/save-snapshot.ts');
      const bytes = await saveSnapshot(`127.0.0.1:${ports.etcd}`, file);
      console.log(`saved ${file}, ${bytes} bytes`);
    });
}
