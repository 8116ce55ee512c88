/** What a ratio should be, and must be at least; `most` says that smaller is better. */
export interface Goal {
  /** What is compared: calls per second, or the p50 of a call. */
  of: 'perSecond' | 'p50Ms';
  goal: number;
  /** The limit beyond which it is not good enough; as `goal` where there is no other. */
  floor: number;
  most: boolean;
}

const atLeast = (goal: number, floor = goal): Goal => ({ of: 'perSecond', goal, floor, most: false });
const p50AtMost = (goal: number, floor: number): Goal => ({ of: 'p50Ms', goal, floor, most: true });

/** A kind of call with so many callers at a time, and how many calls one round makes. */
export interface Row {
  op: 'create' | 'update' | 'get' | 'list500' | 'listall' | 'count' | 'watch' | 'delete';
  callers: 1 | 100;
  /** `keys`: one for each key that is in the store. */
  calls: number | 'keys';
  /** Whether keys beyond those in the store are changed. */
  beyond?: boolean;
  /** twonode's ratio to etcd; undefined: no goal is set. */
  goal?: Goal;
}

const manyCalls = 20_000;
const fewCalls = 1_000;
const single = p50AtMost(1.2, 1.9);
const write = atLeast(1, 0.65);

/** In the order of their run: what is created is used by what follows, and deleted at the end. */
export const rows: readonly Row[] = [
  { op: 'create', callers: 100, calls: 'keys', goal: write },
  { op: 'create', callers: 1, calls: fewCalls, beyond: true, goal: single },
  { op: 'update', callers: 100, calls: manyCalls, goal: write },
  { op: 'update', callers: 1, calls: fewCalls, goal: single },
  { op: 'get', callers: 100, calls: manyCalls, goal: atLeast(1, 0.55) },
  { op: 'get', callers: 1, calls: 2 * fewCalls },
  { op: 'list500', callers: 100, calls: fewCalls, goal: atLeast(2) },
  { op: 'list500', callers: 1, calls: 200 },
  { op: 'listall', callers: 1, calls: 10, goal: atLeast(2) },
  { op: 'count', callers: 100, calls: 2 * fewCalls, goal: atLeast(2) },
  { op: 'count', callers: 1, calls: 200 },
  { op: 'watch', callers: 100, calls: 2 * fewCalls, goal: atLeast(1) },
  { op: 'delete', callers: 1, calls: fewCalls, beyond: true, goal: single },
  { op: 'delete', callers: 100, calls: 'keys', goal: write },
];

/** twonode's and etcd's memory; and how many times kine's writes per second are wanted. */
export const memoryGoal = { goal: 2, floor: 2.5 };
export const kineWriteGoal = 3;

/** `met`, `floor` when it is only just good enough, or `missed`. */
export function judge(ratio: number, { goal, floor, most }: Pick<Goal, 'goal' | 'floor' | 'most'>): string {
  const reaches = (limit: number) => (most ? ratio <= limit : ratio >= limit);
  if (Number.isNaN(ratio)) return '?';
  if (reaches(goal)) return 'met';
  return goal !== floor && reaches(floor) ? 'floor met' : 'missed';
}
