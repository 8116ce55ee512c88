/**
 * Gives each of `wants` one of its candidates, none to two (Kuhn's augmenting paths).
 * @returns for each want its candidate; undefined for one that must go without
 */
export function assign<Want, Candidate>(
  wants: readonly Want[],
  candidatesOf: (want: Want) => readonly Candidate[],
): Map<Want, Candidate> {
  const takenBy = new Map<Candidate, Want>();
  const give = (want: Want, tried: Set<Candidate>): boolean => {
    for (const candidate of candidatesOf(want)) {
      if (tried.has(candidate)) continue;
      tried.add(candidate);
      const holder = takenBy.get(candidate);
      if (holder !== undefined && !give(holder, tried)) continue;
      takenBy.set(candidate, want);
      return true;
    }
    return false;
  };
  for (const want of wants) give(want, new Set());
  return new Map([...takenBy].map(([candidate, want]) => [want, candidate]));
}
