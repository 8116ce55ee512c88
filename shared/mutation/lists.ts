import { type MutationRule, nodePair, type TwoNodeConfiguration } from '../config/schema.ts';
import { approvedDefaults, impairedDefaults, type RuleSet } from './default-lists.ts';
import { judgesPodPriority } from './rule.ts';

/** A rule with where it comes from. */
export interface ListedRule {
  rule: MutationRule;
  /** Whether it stands in this list by default. */
  builtIn: boolean;
  /** Name of the set, or `approvedMutationList[2]`: where the rule stands in the configuration. */
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
  const approved = approvedDefaults(self.name, peer.name);
  const impaired = impairedDefaults(self.name);
  return {
    approvedMutationList: expand(config, 'approvedMutationList', approved, impaired),
    impairedMutationList: expand(config, 'impairedMutationList', impaired, approved),
  };
}

/**
 * A configured list with its sets written out, after the built-in ones.
 * @param own the sets that stand in this list by default
 * @param others those of the other list, which can be named here too
 */
function expand(
  { mutationSets, defaults, ...config }: TwoNodeConfiguration,
  list: keyof MutationLists,
  own: RuleSet[],
  others: RuleSet[],
): ListedRule[] {
  const setNamed = (name: string): ListedRule[] => {
    const listed = (rules: MutationRule[] = [], builtIn: boolean) =>
      rules.map((rule) => ({ rule, builtIn, origin: name }));
    const named = (set: RuleSet) => set.name === name;
    if (mutationSets[name]) return listed(mutationSets[name], false);
    const builtIn = own.find(named);
    return builtIn ? listed(builtIn.rules, true) : listed(others.find(named)?.rules, false);
  };
  const configured = config[list].flatMap((entry, index) =>
    typeof entry === 'string'
      ? setNamed(entry)
      : { rule: entry, builtIn: false, origin: `${list}[${index}]` },
  );
  const included = defaults === 'include' ? unlessJudged(own, configured) : [];
  return [...included.flatMap(({ name }) => setNamed(name)), ...configured];
}

/**
 * The built-in list lets controllers create pods of any priority. Where the configuration judges pods by priority, that set
 * gives way: else it would let in every pod that the configured rule keeps out.
 */
function unlessJudged(sets: RuleSet[], configured: ListedRule[]): RuleSet[] {
  const judged = configured.some(({ rule }) => judgesPodPriority(rule));
  return judged ? sets.filter((set) => !set.givesWayToPriority) : sets;
}
