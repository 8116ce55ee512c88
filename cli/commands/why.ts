import { Command, InvalidArgumentError, Option } from 'commander';
import type { MutationVerb } from '../../shared/mutation/request.ts';
import { type NodeState, nodeStates } from '../../shared/node.ts';
import { reportError } from '../errors.ts';
import type { StatusFlags } from '../status/servers.ts';
import { parseVerb, type Question, type TypedQuestion } from '../why/question.ts';

/** Exit status: as `kubectl auth can-i`, and 3 when no node can say. */
const exitStatusOf = { yes: 0, no: 1, unknown: 3 } as const;

interface WhyFlags extends StatusFlags, Omit<Question, 'verb' | 'type' | 'name' | 'user' | 'groups'> {
  as: string;
  asGroup: string[];
  state?: NodeState;
}

export function whyCommand(): Command {
  return new Command('why')
    .description('say whether a write would be allowed now and by which rule, without trying it')
    .argument('<verb>', 'create, update, patch or delete', parseVerb)
    .argument(
      '<resource>',
      'as kubectl takes it, and subresources: deploy, widgets.example.com, pods/eviction',
    )
    .argument('[name]', 'name of the object, or namespace/name')
    .option('-n, --namespace <namespace>', 'namespace of the object', 'default')
    .option('--as <user>', 'who asks', 'system:admin')
    .option('--as-group <group...>', 'groups of who asks', ['system:masters', 'system:authenticated'])
    .option(
      '--priority <number>',
      'priority of the pods, where their class is not one of the system',
      integer,
    )
    .option('--priority-class <name>', 'priority class of the pods', '')
    .addOption(new Option('--state <state>', 'ask for this state instead of the present').choices(nodeStates))
    .option('--config <file>', 'configuration file of the node')
    .option('--node <name>', 'ask this node only')
    .option('--nats <url>', 'ask through this nats-server, such as nats://127.0.0.1:4222')
    .option('--data-dir <folder>', 'folder of a cluster of "npm start"')
    .addHelpText('after', '\nExit status: 0 allowed, 1 refused by a node that was asked, 3 unknown.')
    .action(async (verb: MutationVerb | null, typed: string, name: string | undefined, flags: WhyFlags) => {
      if (verb === null) {
        console.log('yes. Reads are allowed in every state');
        return;
      }
      const question = { ...flags, verb, typed, name, user: flags.as, groups: flags.asGroup };
      process.exitCode = await explain(question, flags).catch((error) => {
        reportError(error);
        return exitStatusOf.unknown;
      });
    });
}

/** Prints the answer of each node. @returns the exit status */
async function explain(question: TypedQuestion, flags: WhyFlags): Promise<number> {
  const { answersOf } = await import('../why/nodes.ts');
  const answers = await answersOf(question, flags);
  for (const { node, text } of answers) console.log(`${node}: ${text}`);
  return answers.every(({ allowed }) => allowed) ? exitStatusOf.yes : exitStatusOf.no;
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('expected a whole number.');
  return value;
}
