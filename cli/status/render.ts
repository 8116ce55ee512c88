import type { NodeState } from '../../shared/node.ts';
import { clockTime } from '../../shared/reasons.ts';
import type { NodeOverview, Overview } from './overview.ts';

/** What each state allows, for people. */
const allowed: Record<NodeState, string> = {
  Leader: 'all reads and writes',
  Follower: 'all reads and writes; writes are passed on to the leader',
  LeaderRX: 'all reads; only writes on the approvedMutationList',
  Impaired: 'all reads; only writes on the impairedMutationList',
};

/** The picture as text, one block for each node, warnings last. */
export function renderOverview({ health, nodes }: Overview, nowMs: number): string {
  const width = Math.max(...nodes.map(({ node }) => node.length));
  const blocks = nodes.map((node) => renderNode(node, width, nowMs));
  const warnings = nodes.flatMap(({ node, said }) =>
    (said?.warnings ?? []).map((text) => `  ${node}: ${text}`),
  );
  const lines = [`Cluster is ${health}`, '', ...blocks];
  if (warnings.length > 0) lines.push('', 'Warnings:', ...warnings);
  return `${lines.join('\n')}\n`;
}

function renderNode({ node, role, state, said }: NodeOverview, width: number, nowMs: number): string {
  const head = `${node.padEnd(width)}  ${role.padEnd(8)}  ${state ?? 'unknown'}`;
  const indent = ' '.repeat(width + 2);
  if (!said || !state) return `${head}\n${indent}does not answer; this is how its peer sees it`;
  const sinceMs = Date.parse(said.since);
  const lines = [`${head} since ${clockTime(sinceMs)} (${age(nowMs - sinceMs)})`];
  if (said.reason !== null) lines.push(`reason:   ${said.reason}: ${said.text}`);
  lines.push(`allowed:  ${allowed[state]}`, `log:      epoch ${said.epoch}, revision ${said.revision}`);
  if (said.conflicts > 0) lines.push(`conflict: ${said.conflicts} open, see "twonode conflicts list"`);
  return lines.join(`\n${indent}`);
}

/** `42s`, `12m`, `3h 5m`, `2d 4h` */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit));
  if (days) return `${days}d ${(hours ?? 0) % 24}h`;
  if (hours) return `${hours}h ${(minutes ?? 0) % 60}m`;
  return minutes ? `${minutes}m` : `${seconds}s`;
}
