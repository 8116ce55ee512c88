import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Signal, StateMessage } from '../../../shared/messages.ts';
import type { NodeState } from '../../../shared/node.ts';
import { type Known, learnPeerState, learnSignal, nothingKnown } from './known.ts';
import { newMemory, recall } from './persisted.ts';
import { simulatedConfig } from './simulation/pair.ts';

const config = simulatedConfig('node-a', 'node-b', 'leader');
const nowMs = Date.parse('2026-01-01T12:00:00Z');

function signal(status: Signal['status'], sinceMs: number, name = 'northsouth.gateway'): Signal {
  const [area, check = ''] = name.split('.') as [Signal['area'], string];
  const since = new Date(sinceMs).toISOString();
  const rest = { seq: 0, ttl_ms: 15_000, reason: '', severity: 'fatal', boot_id: '', value: {} } as const;
  return { v: 1, node: 'node-a', area, check, status, since, at: since, ...rest };
}

const learn = (known: Known, signals: [Signal, number][]) =>
  signals.reduce((so, [one, atMs]) => learnSignal(config, so, one, atMs), known);

test("the onset of what is heard for the first time is the prober's own", () => {
  const known = learn(nothingKnown(nowMs), [[signal('failed', nowMs - 60_000), nowMs]]);
  assert.is(known.checks['northsouth.gateway']?.sinceMs, nowMs - 60_000);
});

test('a clock that is set cannot move the onset of what was seen to change', () => {
  const hour = 3_600_000;
  for (const stepMs of [-hour, hour]) {
    const known = learn(nothingKnown(nowMs), [
      [signal('ok', nowMs), nowMs],
      [signal('failed', nowMs + 4_000 + stepMs), nowMs + 5_000],
    ]);
    const sinceMs = known.checks['northsouth.gateway']?.sinceMs ?? 0;
    assert.ok(sinceMs >= nowMs && sinceMs <= nowMs + 5_000);
  }
});

test('a status that is said again without a newer measurement does not move the onset of what follows', () => {
  const known = learn(nothingKnown(nowMs), [
    [signal('ok', nowMs), nowMs],
    [signal('ok', nowMs), nowMs + 4_000],
    [signal('failed', nowMs + 1_000), nowMs + 5_000],
  ]);
  assert.is(known.checks['northsouth.gateway']?.sinceMs, nowMs + 1_000);
});

test('a status that is said again keeps its onset, also after the prober has restarted', () => {
  const known = learn(nothingKnown(nowMs), [
    [signal('failed', nowMs), nowMs],
    [signal('unknown', nowMs + 2_000), nowMs + 2_000],
    [signal('failed', nowMs + 3_000), nowMs + 3_000],
  ]);
  assert.is(known.checks['northsouth.gateway']?.sinceMs, nowMs);
});

test('what is not watched is not remembered', () => {
  const known = learn(nothingKnown(nowMs), [
    [signal('failed', nowMs, 'local.fan'), nowMs],
    [signal('failed', nowMs, 'northsouth.elsewhere'), nowMs],
    [signal('failed', nowMs, 'eastwest.moon'), nowMs],
  ]);
  assert.equal(known.checks, {});
});

const iso = (ms: number) => new Date(ms).toISOString();

/** The peer's state as its beats tell it: they name no time, but how long it has been so. */
function beat(peer_state: NodeState, ageMs: number): Signal {
  return { ...signal('ok', nowMs, 'eastwest.beat'), value: { peer_state, peer_state_age_ms: ageMs } };
}

function message(state: NodeState, since: string): StateMessage {
  const peer = { node: 'node-a', state: null, reason: null, heard: true, age_ms: 0 };
  const rest = {
    reason: null,
    text: '',
    warnings: [],
    epoch: 1,
    revision: 1,
    conflicts: 0,
    seq: 1,
    ttl_ms: 3_000,
  };
  return { v: 1, node: 'node-b', role: 'follower', state, since, peer, ...rest };
}

test('what the peer said before does not come back: its beats and its messages overtake each other', () => {
  let known = nothingKnown(nowMs);
  const says = () => known.peerSaid?.state;
  const [follows, impaired, again] = [iso(nowMs - 20_000), iso(nowMs), iso(nowMs + 5_000)];
  known = learnPeerState(known, message('Follower', follows), nowMs - 500);
  known = learnPeerState(known, message('Impaired', impaired), nowMs + 5);
  known = learnSignal(config, known, beat('Follower', 20_000), nowMs + 40);
  assert.is(says(), 'Impaired');
  known = learnSignal(config, known, beat('Impaired', 60), nowMs + 60);
  known = learnPeerState(known, message('Impaired', impaired), nowMs + 1_000);
  assert.is(says(), 'Impaired');
  known = learnSignal(config, known, beat('Follower', 10), nowMs + 5_010);
  assert.is(says(), 'Follower');
  known = learnPeerState(known, message('Impaired', impaired), nowMs + 5_020);
  assert.is(says(), 'Follower');
  known = learnPeerState(known, message('Follower', again), nowMs + 5_030);
  assert.is(says(), 'Follower');
});

test('what the peer said counts no longer than it said: then an older word does', () => {
  const said = learnPeerState(nothingKnown(nowMs), message('Impaired', iso(nowMs)), nowMs);
  const known = learnSignal(config, said, beat('Follower', 20_000), nowMs + 3_001);
  assert.is(known.peerSaid?.state, 'Follower');
});

test('memory: another boot waits again, but goes on with the incident', () => {
  const incident = { startMs: nowMs, coversNorthSouth: true };
  const saved = {
    ...newMemory(config, 'boot-1', nowMs),
    bootOver: true,
    everHealthy: ['local.api'],
    incident,
  };
  const same = recall(config, saved, 'boot-1', nowMs + 1);
  assert.equal(same, saved);
  const rebooted = recall(config, saved, 'boot-2', nowMs + 1);
  assert.is(rebooted.bootOver, false);
  assert.equal(rebooted.incident, incident);
  assert.equal(rebooted.everHealthy, ['local.api']);
});

test('memory: another role or node does not inherit the verdict', () => {
  const leading = {
    ...newMemory(config, 'boot-1', nowMs),
    bootOver: true,
    verdict: { ...newMemory(config, 'boot-1', nowMs).verdict, state: 'Leader' as const, reason: null },
  };
  const demoted = recall({ ...config, role: 'follower' }, leading, 'boot-1', nowMs);
  assert.is(demoted.verdict.state, 'Impaired');
  const other = recall({ ...config, node: 'node-c' }, leading, 'boot-1', nowMs);
  assert.is(other.verdict.state, 'Impaired');
});

test('memory: times in the future, of a clock that was set back, are now', () => {
  const saved = { ...newMemory(config, 'boot-1', nowMs + 3_600_000), linkDownSinceMs: nowMs + 3_600_000 };
  const recalled = recall(config, saved, 'boot-1', nowMs);
  assert.is(recalled.linkDownSinceMs, nowMs);
  assert.is(recalled.verdict.sinceMs, nowMs);
});

test.run();
