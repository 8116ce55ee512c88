import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Signal } from '../../../shared/messages.ts';
import { type Machine, startMachine, step } from './machine.ts';
import { simulatedConfig } from './simulation/pair.ts';

/** What the traces cannot show: what probers say that are in trouble themselves, and the edges of the times. */
const startMs = Date.parse('2026-01-01T12:00:00Z');
const checks = ['nic', 'vnic', 'cni', 'api', 'storage', 'datastore'].map((check) => `local.${check}`);
const healthy = [...checks, 'northsouth.gateway', 'northsouth.wan', 'eastwest.api', 'eastwest.beat'];
const datastore = {
  logVerified: true,
  notices: [],
  neverJoined: false,
  logLink: 'works',
  reconverged: true,
  failure: null,
} as const;

/** A machine of one node which hears what the test says, second by second. */
class Heard {
  machine: Machine;
  nowMs = startMs;
  private said: Record<string, { status: Signal['status']; value: Signal['value'] }> = {};

  constructor(role: 'leader' | 'follower') {
    const [node, peer] = role === 'leader' ? ['node-a', 'node-b'] : ['node-b', 'node-a'];
    this.machine = startMachine(simulatedConfig(node, peer, role), null, 'boot-1', startMs).machine;
    for (const name of healthy) this.say(name, 'ok');
    this.say('eastwest.beat', 'ok', { peer_state: role === 'leader' ? 'Follower' : 'Leader' });
    this.pass(1);
  }

  say(name: string, status: Signal['status'], value: Signal['value'] = {}): this {
    this.said[name] = { status, value };
    return this;
  }

  pass(seconds: number): string {
    for (let second = 0; second < seconds; second++) {
      this.nowMs += 1_000;
      const signals = Object.entries(this.said).map(([name, said]) => this.signal(name, said));
      this.machine = step(this.machine, { kind: 'signals', nowMs: this.nowMs, signals }).machine;
      this.machine = step(this.machine, { kind: 'datastore', nowMs: this.nowMs, datastore }).machine;
    }
    const { state, reason } = this.machine.memory.verdict;
    return reason ? `${state} ${reason}` : state;
  }

  private signal(name: string, said: { status: Signal['status']; value: Signal['value'] }): Signal {
    const [area, check = ''] = name.split('.') as [Signal['area'], string];
    const at = new Date(this.nowMs).toISOString();
    const rest = { seq: 0, ttl_ms: 3_000, reason: '', severity: 'fatal', boot_id: '' } as const;
    return { v: 1, node: this.machine.config.node, area, check, since: at, at, ...said, ...rest };
  }
}

test('a prober that cannot listen leaves the peer heard for staleAfter, and no longer', () => {
  const node = new Heard('follower').say('eastwest.beat', 'unknown');
  assert.is(node.pass(9), 'Follower');
  assert.is(node.pass(1), 'LeaderRX peer-down');
  assert.match(node.machine.warnings.map(({ text }) => text).join(), 'node-a is not heard');
});

test('a peer that starts, or whose prober is silent, counts as Impaired only after staleAfter', () => {
  for (const peer_reason of ['starting', 'prober-silent']) {
    const node = new Heard('follower');
    const restartMs = node.nowMs;
    const states = Array.from({ length: 10 }, () => {
      const peer_state_age_ms = node.nowMs - restartMs;
      return node
        .say('eastwest.beat', 'ok', { peer_state: 'Impaired', peer_reason, peer_state_age_ms })
        .pass(1);
    });
    assert.equal(states.slice(0, 9), Array(9).fill('Follower'));
    assert.is(node.pass(2), 'LeaderRX peer-impaired');
  }
});

test('any other reason of an Impaired peer counts at once', () => {
  const node = new Heard('follower');
  node.say('eastwest.beat', 'ok', { peer_state: 'Impaired', peer_reason: 'local-failure' });
  assert.is(node.pass(1), 'LeaderRX peer-impaired');
});

test('a peer whose shim says nothing counts as unknown, not as Impaired', () => {
  const node = new Heard('follower').say('eastwest.beat', 'ok', { peer_state: null });
  assert.is(node.pass(30), 'Follower');
});

test('an announced restart has one deadline, however often it is announced', () => {
  const node = new Heard('follower').say('eastwest.beat', 'ok', {
    peer_state: 'Leader',
    peer_restarting_ms: 5_000,
  });
  node.pass(1);
  node.say('eastwest.beat', 'failed', { peer_state: 'Leader', peer_restarting_ms: 5_000 });
  assert.is(node.pass(4), 'Follower');
  assert.is(node.pass(1), 'LeaderRX peer-down');
});

test('a restart that is announced for too long is not believed', () => {
  const node = new Heard('follower');
  node.say('eastwest.beat', 'ok', { peer_state: 'Leader', peer_restarting_ms: 3_600_000 }).pass(1);
  assert.is(
    node.say('eastwest.beat', 'failed', { peer_restarting_ms: 3_600_000 }).pass(1),
    'LeaderRX peer-down',
  );
});

const joint = { kind: 'carrier', carrier_loss: 'joint' };

test('a joint loss of carrier takes the interfaces on the NIC with it; a vNIC alone is a local failure', () => {
  const node = new Heard('leader');
  node.say('local.nic', 'failed', joint).say('local.vnic', 'failed', { kind: 'carrier' });
  node.say('eastwest.beat', 'failed');
  assert.is(node.pass(1), 'LeaderRX isolated');
  assert.is(node.say('local.nic', 'ok').pass(1), 'Impaired local-failure');
});

test('an interface that is administratively down is a local failure, whatever carrierLoss says', () => {
  const node = new Heard('leader').say('local.nic', 'failed', { kind: 'admin', carrier_loss: 'joint' });
  assert.is(node.pass(1), 'Impaired local-failure');
});

test('the peer is warned about, not acted on: clock and configuration', () => {
  const node = new Heard('leader');
  const value = {
    peer_state: 'Follower',
    clock_offset_ms: -2_500,
    config_digest: 'a',
    peer_config_digest: 'b',
  };
  assert.is(node.say('eastwest.beat', 'ok', value).pass(1), 'Leader');
  const warnings = node.machine.warnings.map(({ text }) => text);
  assert.equal(warnings, [
    'the clock of node-b is 2.5 s behind',
    'node-b runs with another configuration file',
  ]);
});

test('a peer of another role or cluster is a failure of ours, until it says otherwise', () => {
  const node = new Heard('leader');
  const hear = (value: Record<string, unknown>) => node.say('eastwest.beat', 'ok', value).pass(1);
  assert.is(hear({ peer_role: 'leader', peer_cluster: 'edge-1' }), 'Impaired local-failure');
  assert.match(node.machine.memory.verdict.failure, 'node-a and node-b are both configured as leader');
  assert.is(hear({}), 'Impaired local-failure');
  assert.is(hear({ peer_role: 'follower', peer_cluster: 'edge-2' }), 'Impaired local-failure');
  assert.is(hear({ peer_role: 'follower', peer_cluster: 'edge-1' }), 'Leader');
});

test('a check that the prober never tells of delays the first verdict by staleAfter, and is a warning', () => {
  const config = { ...simulatedConfig('node-a', 'node-b', 'leader'), localChecks: ['fan'] };
  const node = new Heard('leader');
  node.machine = startMachine(config, null, 'boot-1', node.nowMs).machine;
  assert.is(node.pass(10), 'Impaired starting');
  assert.is(node.pass(1), 'Leader');
  assert.match(node.machine.warnings.map(({ text }) => text).join(), 'the prober says nothing about fan');
});

test.run();
