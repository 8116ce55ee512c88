import { loadConfiguration } from '../../shared/config/load.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import type { StateMessage } from '../../shared/messages.ts';
import { mutationLists } from '../../shared/mutation/lists.ts';
import type { NodeState } from '../../shared/node.ts';
import { askStates } from '../status/ask.ts';
import { configurationToRead, type StatusFlags, serversToAsk } from '../status/servers.ts';
import { type Answer, answerIn, answerNow } from './answer.ts';
import { discoverResources } from './discovery.ts';
import { requestOf, resolveType, splitTyped, type TypedQuestion } from './question.ts';
import type { NamedResource } from './resource-names.ts';

export interface NodeAnswer extends Answer {
  node: string;
}

/**
 * The answer of each node that is asked: the one named, else all that tell their state, else, for a supposed state, both.
 * @throws ConfigurationError, UserError when there is nothing to ask, or nobody answers
 */
export async function answersOf(
  { typed, name: typedName, ...question }: TypedQuestion,
  flags: StatusFlags & { state?: NodeState },
): Promise<NodeAnswer[]> {
  const config = loadConfiguration(configurationToRead(flags));
  const { type: typedType, name } = splitTyped(typed, typedName);
  const type = await resolveType(typedType, () => discoverThrough(config, namesIn(config, flags.node)));
  const request = requestOf({ ...question, name, type });
  const { state } = flags;
  if (state) {
    return namesIn(config, flags.node).map((node) => {
      return { node, ...answerIn(state, mutationLists(config, node), request) };
    });
  }
  const states = await statesToJudge(config, flags);
  return states.map((said) => {
    return { node: said.node, ...answerNow(said, mutationLists(config, said.node), request, Date.now()) };
  });
}

/** Asks the kube-apiservers of these nodes, and takes the first answer, by the kubeconfig of the configuration. */
async function discoverThrough(config: TwoNodeConfiguration, nodes: string[]): Promise<NamedResource[]> {
  const { kubeconfig } = config.kubernetes;
  if (kubeconfig === undefined) throw new Error('the configuration names no kubeconfig');
  const asked = nodes.map((node) => discoverResources(kubeconfig.replaceAll('{node}', node)));
  return Promise.any(asked).catch((error: AggregateError) => {
    throw error.errors[0];
  });
}

function namesIn(config: TwoNodeConfiguration, node: string | undefined): string[] {
  if (!node) return config.nodes.map(({ name }) => name);
  try {
    return [nodePair(config, node).self.name];
  } catch (error) {
    throw new UserError((error as Error).message);
  }
}

async function statesToJudge(config: TwoNodeConfiguration, flags: StatusFlags): Promise<StateMessage[]> {
  const wanted = namesIn(config, flags.node);
  const servers = serversToAsk(flags);
  const states = (await askStates(servers)).filter(({ node }) => wanted.includes(node));
  if (states.length > 0) return states;
  throw new UserError(`no shim of ${wanted.join(' or ')} answers through ${servers.join(', ')}`);
}
