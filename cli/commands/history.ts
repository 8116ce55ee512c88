import type { Command } from 'commander';
import { nodePaths } from '../../shared/paths.ts';
import { nodeCommand } from '../node-command.ts';

export function historyCommand(): Command {
  return nodeCommand(
    'history',
    "show a node's last changes of state, oldest first",
    async (config, { node }) => {
      const { readHistory } = await import('../../services/shim/state/history-file.ts');
      const entries = readHistory(nodePaths(config, node).historyFile);
      if (entries.length === 0) console.error(`twonode: ${node} has no history on this machine`);
      for (const { at, from, to, text } of entries) {
        const change = from === to ? `still ${to}` : `${from} -> ${to}`;
        console.log(`${at}  ${change.padEnd(22)}  ${text}`.trimEnd());
      }
    },
  );
}
