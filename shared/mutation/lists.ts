import { type MutationRule, nodePair, type TwoNodeConfiguration } from '../config/schema.ts';
import { approvedDefaults, impairedDefaults, type RuleSet } from './default-lists.ts';
import { judgesPodPriority } from './rule.ts';

/** A rule with where it comes from. */
export interface ListedRule {
  rule: MutationRule;
  builtIn: boolean;
  /** Name of the built-in set, or `approvedMutationList[2]`: where the rule stands in the configuration. */
  origin: string;
}

/** What a node may write in each restricted state. The first rule that matches allows. */
export interface MutationLists {
  approvedMutationList: readonly ListedRule[];
  impairedMutationList: readonly ListedRule[];
}

/** The lists of one node: its configured rules and, unless the configuration says `defaults: replace`, the built-in ones. */
export function mutationLists(config: TwoNodeConfiguration, node: string): MutationLists {
  const { self, peer } = nodePair(config, node);
  const include = config.defaults === 'include';
  const configured = (list: keyof MutationLists) =>
    config[list].map((rule, index) => ({ rule, builtIn: false, origin: `${list}[${index}]` }));
  const builtIn = (sets: RuleSet[]) => (include ? sets.flatMap(listSet) : []);
  return {
    approvedMutationList: [
      ...builtIn(unlessJudged(approvedDefaults(self.name, peer.name), config.approvedMutationList)),
      ...configured('approvedMutationList'),
    ],
    impairedMutationList: [...builtIn(impairedDefaults(self.name)), ...configured('impairedMutationList')],
  };
}

function listSet({ name, rules }: RuleSet): ListedRule[] {
  return rules.map((rule) => ({ rule, builtIn: true, origin: name }));
}

/**
 * The built-in list lets controllers create pods of any priority. Where the configuration judges pods by priority, that set
 * gives way: else it would let in every pod that the configured rule keeps out.
 */
function unlessJudged(sets: RuleSet[], configured: MutationRule[]): RuleSet[] {
  return configured.some(judgesPodPriority) ? sets.filter((set) => !set.givesWayToPriority) : sets;
}
