import type { NodeState } from '../../../shared/node.ts';

/**
 * The table that must hold (docs/states.md), as data. `commands` make the condition on two healthy nodes (node-a is the
 * configured leader) in the language of `simulation/pair.ts`; the states are those that the nodes settle in. `off` is a
 * node without power: its peer shows it as Impaired.
 */
export interface TableRow {
  readonly condition: string;
  readonly commands: readonly string[];
  readonly leader: NodeState | 'off';
  readonly follower: NodeState | 'off';
  /** A part of the warning that one of them must show. */
  readonly warning?: { readonly node: 'leader' | 'follower'; readonly text: string };
}

const switchDead = ['cut link', 'fail node-a north-south', 'fail node-b north-south'];
const carrierLost = (node: string) => [`fail ${node} nic "eth0: carrier lost"`];

export const table: readonly TableRow[] = [
  { condition: 'nothing fails', commands: [], leader: 'Leader', follower: 'Follower' },
  {
    condition: 'physical network failure, joint',
    commands: switchDead,
    leader: 'LeaderRX',
    follower: 'LeaderRX',
  },
  {
    condition: 'physical network failure, joint (carriers lost, carrierLoss: joint)',
    commands: ['fail node-a nic joint', 'fail node-a vnic joint', 'fail node-b nic joint'],
    leader: 'LeaderRX',
    follower: 'LeaderRX',
  },
  {
    condition: 'physical network failure, leader',
    commands: carrierLost('node-a'),
    leader: 'Impaired',
    follower: 'LeaderRX',
  },
  {
    condition: 'physical network failure, follower',
    commands: carrierLost('node-b'),
    leader: 'Leader',
    follower: 'Impaired',
  },
  {
    condition: 'NIC failure, leader',
    commands: ['fail node-a nic "eth0: admin down"'],
    leader: 'Impaired',
    follower: 'LeaderRX',
  },
  {
    condition: 'NIC failure, follower',
    commands: ['fail node-b nic "eth0: admin down"'],
    leader: 'Leader',
    follower: 'Impaired',
  },
  {
    condition: 'vNIC failure, leader',
    commands: ['fail node-a vnic'],
    leader: 'Impaired',
    follower: 'LeaderRX',
  },
  {
    condition: 'vNIC failure, follower',
    commands: ['fail node-b vnic'],
    leader: 'Leader',
    follower: 'Impaired',
  },
  {
    condition: 'CNI failure, leader',
    commands: ['fail node-a cni'],
    leader: 'Impaired',
    follower: 'LeaderRX',
  },
  {
    condition: 'CNI failure, follower',
    commands: ['fail node-b cni'],
    leader: 'Leader',
    follower: 'Impaired',
  },
  {
    condition: 'API failure, leader',
    commands: ['fail node-a api'],
    leader: 'Impaired',
    follower: 'LeaderRX',
  },
  {
    condition: 'API failure, follower',
    commands: ['fail node-b api'],
    leader: 'Leader',
    follower: 'Impaired',
  },
  { condition: 'node failure, leader', commands: ['off node-a'], leader: 'off', follower: 'LeaderRX' },
  { condition: 'node failure, follower', commands: ['off node-b'], leader: 'Leader', follower: 'off' },
  {
    condition: 'a LeaderRX suffers a further failure (local, both)',
    commands: [...switchDead, 'wait 1m', 'fail node-a api', 'fail node-b api'],
    leader: 'Impaired',
    follower: 'Impaired',
  },
  {
    condition: 'a LeaderRX suffers a further failure (north-south, follower)',
    commands: ['off node-a', 'wait 1m', 'fail node-b north-south'],
    leader: 'off',
    follower: 'Impaired',
  },
  {
    condition: 'a LeaderRX suffers a further failure (its carrier)',
    commands: ['cut link', 'wait 1m', ...carrierLost('node-b')],
    leader: 'Leader',
    follower: 'Impaired',
  },
  {
    condition: 'east-west link alone fails',
    commands: ['cut link'],
    leader: 'Leader',
    follower: 'LeaderRX',
  },
  {
    condition: 'north-south alone fails, leader',
    commands: ['fail node-a north-south'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'leader', text: 'nothing north-south answers' },
  },
  {
    condition: 'north-south alone fails, follower',
    commands: ['fail node-b north-south'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'follower', text: 'nothing north-south answers' },
  },
  {
    condition: 'CPU load, leader',
    commands: ['warn node-a cpu "load 9.0"'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'leader', text: 'load 9.0' },
  },
  {
    condition: 'CPU load, follower',
    commands: ['warn node-b cpu "load 9.0"'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'follower', text: 'load 9.0' },
  },
  {
    condition: 'memory pressure, leader',
    commands: ['fail node-a memory warning-only'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'leader', text: 'memory failed' },
  },
  {
    condition: 'memory pressure, follower',
    commands: ['fail node-b memory warning-only'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'follower', text: 'memory failed' },
  },
  {
    condition: 'memory pressure with severity fatal, leader',
    commands: ['fail node-a memory "2 % available"'],
    leader: 'Impaired',
    follower: 'LeaderRX',
  },
  {
    condition: 'CNI failure with severity warning, leader',
    commands: ['fail node-a cni warning-only'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'leader', text: 'cni failed' },
  },
  {
    condition: 'storage nearly full, leader',
    commands: ['warn node-a storage "4 % free"'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'leader', text: '4 % free' },
  },
  {
    condition: 'storage nearly full, follower',
    commands: ['warn node-b storage "4 % free"'],
    leader: 'Leader',
    follower: 'Follower',
    warning: { node: 'follower', text: '4 % free' },
  },
  {
    condition: 'storage full, leader',
    commands: ['fail node-a storage "1 % free"'],
    leader: 'Impaired',
    follower: 'LeaderRX',
  },
  {
    condition: 'storage full, follower',
    commands: ['fail node-b storage "1 % free"'],
    leader: 'Leader',
    follower: 'Impaired',
  },
];
