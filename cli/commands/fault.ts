import { Argument, Command } from 'commander';
import { type Fault, type Killable, killable } from '../cluster/faults.ts';

export function faultCommand(): Command {
  const command = new Command('fault')
    .description('break and heal a cluster of "npm start"')
    .option('--data-dir <folder>', 'folder of the cluster; default: the one of this clone');
  const add = (name: string, description: string) => command.command(name).description(description);
  const inject = async (fault: Fault) => {
    const { defaultDataDir, readClusterFile } = await import('../cluster/cluster-file.ts');
    const { requestFault } = await import('../cluster/control-client.ts');
    const cluster = readClusterFile(command.opts<{ dataDir?: string }>().dataDir ?? defaultDataDir);
    console.log(await requestFault(cluster.control, fault));
  };
  const part = new Argument('<part>', 'process of the node').choices(killable);

  add('cut-link', 'nothing passes between the nodes').action(() => inject({ fault: 'cut-link' }));
  add('close-gateway', 'the test point beyond the switch does not answer').action(() =>
    inject({ fault: 'close-gateway' }),
  );
  add('stop-api', 'stop the kube-apiserver of a node')
    .argument('<node>')
    .action((node: string) => inject({ fault: 'stop-api', node }));
  add('start-api', 'start the kube-apiserver of a node again')
    .argument('<node>')
    .action((node: string) => inject({ fault: 'start-api', node }));
  add('remove-cni', 'remove the CNI configuration of a node')
    .argument('<node>')
    .action((node: string) => inject({ fault: 'remove-cni', node }));
  add('kill', 'SIGKILL a process of a node; its supervisor starts it again')
    .addArgument(part)
    .argument('<node>')
    .action((killed: Killable, node: string) => inject({ fault: 'kill', part: killed, node }));
  add('pause', 'SIGSTOP a process of a node, until heal')
    .addArgument(part)
    .argument('<node>')
    .action((paused: Killable, node: string) => inject({ fault: 'pause', part: paused, node }));
  add('heal', 'undo all faults').action(() => inject({ fault: 'heal' }));
  return command;
}
