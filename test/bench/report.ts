import { cpus } from 'node:os';
import { judge, kineWriteGoal, memoryGoal, type Row, rows } from './goals.ts';
import type { SystemName } from './systems.ts';

/** What the load client tells of one run. */
export interface Result {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** All that was measured of one system. */
export interface Measured {
  /** One result for each round; fewer where the system failed. */
  results: Map<Row, Result[]>;
  sizes: { residentMiB: number; diskMiB: number; restartMs: number } | null;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The tables of docs/performance.md, in Markdown. */
export function report(
  measured: ReadonlyMap<SystemName, Measured>,
  { keys, rounds }: { keys: number; rounds: number },
): string {
  const names = [...measured.keys()];
  const head = `${keys} keys of 1 KiB, ${cpus().length} CPUs, medians of ${rounds} rounds`;
  return [head, callTable(measured, names), sizeTable(measured, names)].join('\n\n');
}

function callTable(measured: ReadonlyMap<SystemName, Measured>, names: SystemName[]): string {
  const columns = [
    'call',
    'callers',
    ...names.map((name) => `${name} /s`),
    ...names.map((name) => `${name} p50 / p99 ms`),
    'to etcd',
    'goal',
    'floor',
    '',
    ...(names.includes('kine') ? ['to kine', `goal ${kineWriteGoal} x on writes`] : []),
  ];
  const lineOf = (row: Row, call: string, choose: (ofRounds: readonly number[]) => number) => {
    const of = (name: SystemName, field: keyof Result) =>
      choose((measured.get(name)?.results.get(row) ?? []).map((result) => result[field]));
    const cells = [
      call,
      row.callers,
      ...names.map((name) => digits(of(name, 'perSecond'))),
      ...names.map((name) => `${digits(of(name, 'p50Ms'))} / ${digits(of(name, 'p99Ms'))}`),
      ...goalCells(row, of),
      ...(names.includes('kine') ? kineCells(row, of) : []),
    ];
    return line(cells);
  };
  const lines = rows.map((row) => lineOf(row, row.op, median));
  const first = rows[0] as Row;
  lines.unshift(lineOf(first, `${first.op}, just started`, ([cold = Number.NaN]) => cold));
  return [line(columns), separator(columns.length), ...lines].join('\n');
}

type Lookup = (name: SystemName, field: keyof Result) => number;

function goalCells({ goal }: Row, of: Lookup): string[] {
  const field = goal?.of ?? 'perSecond';
  const ratio = of('twonode', field) / of('etcd', field);
  if (!goal) return [digits(ratio), '', '', ''];
  const what = field === 'p50Ms' ? 'p50 ' : '';
  const sign = goal.most ? '<=' : '>=';
  const limits = [goal.goal, goal.floor].map((limit) => `${sign} ${limit}`);
  return [`${what}${digits(ratio)}`, ...limits, judge(ratio, goal)];
}

function kineCells({ op, callers }: Row, of: Lookup): string[] {
  const ratio = of('twonode', 'perSecond') / of('kine', 'perSecond');
  const isGoal = callers === 100 && ['create', 'update', 'delete'].includes(op);
  return [
    digits(ratio),
    isGoal ? judge(ratio, { goal: kineWriteGoal, floor: kineWriteGoal, most: false }) : '',
  ];
}

function sizeTable(measured: ReadonlyMap<SystemName, Measured>, names: SystemName[]): string {
  const fields = [
    ['resident memory of all processes, MiB', 'residentMiB'],
    ['on disk, MiB', 'diskMiB'],
    ['SIGKILL to the first answer, ms', 'restartMs'],
  ] as const;
  const lines = fields.map(([title, field]) => {
    const of = (name: SystemName) => measured.get(name)?.sizes?.[field] ?? Number.NaN;
    const ratio = of('twonode') / of('etcd');
    const { goal, floor } = memoryGoal;
    const goalCells =
      field === 'residentMiB'
        ? [`<= ${goal}`, `<= ${floor}`, judge(ratio, { goal, floor, most: true })]
        : ['', '', ''];
    return line([title, ...names.map((name) => digits(of(name))), digits(ratio), ...goalCells]);
  });
  const columns = ['', ...names, 'to etcd', 'goal', 'floor', ''];
  return [line(columns), separator(columns.length), ...lines].join('\n');
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}

function separator(count: number): string {
  return `|${'---|'.repeat(count)}`;
}

/** Not measured is `-`. */
function digits(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
