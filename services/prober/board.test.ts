import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Board } from './board.ts';
import { encodeMemory, type Memory, readMemory } from './memory.ts';
import type { Probe } from './probe.ts';
import { failed, ok } from './verdict.ts';

const identity = { node: 'node-a', bootId: 'boot-1' };
const empty = (): Memory => ({ v: 1, boot_id: 'boot-1', checks: {}, ever_healthy: [] });
const probe = (check: string): Probe => ({
  area: 'local',
  check,
  severity: 'fatal',
  interval: 100,
  timeout: 100,
  failureThreshold: 1,
  successThreshold: 1,
  how: '',
  advice: '',
  run: async () => ok(),
});
const nic = probe('nic');
const at = (seconds: number) => Date.UTC(2026, 0, 1, 0, 0, seconds);
const time = (seconds: number) => new Date(at(seconds)).toISOString();

test('since is when the status began, at is when it was last measured', () => {
  const board = new Board(identity, empty());
  assert.is(board.result(nic, ok(), at(1))?.changed, true);
  assert.is(board.result(nic, ok(), at(2))?.changed, false);
  board.result(nic, failed('eth0: carrier lost'), at(3));
  const last = board.result(nic, failed('eth0: administratively down'), at(4));
  assert.is(last?.changed, true);
  assert.is(last?.signal.since, time(3));
  assert.is(last?.signal.at, time(4));
});

test('nothing is said before the thresholds are met', () => {
  const board = new Board(identity, empty());
  const slow = { ...nic, failureThreshold: 2 };
  assert.is(board.result(slow, failed('f'), at(1)), null);
  assert.is(board.result(slow, failed('f'), at(2))?.signal.status, 'failed');
});

test('a failure begins with the first of its run, and what it ends is not confirmed meanwhile', () => {
  const board = new Board(identity, empty());
  const slow = { ...nic, failureThreshold: 3 };
  board.result(slow, ok(), at(1));
  board.result(slow, failed('f'), at(2));
  assert.is(board.result(slow, failed('f'), at(3))?.signal.at, time(1));
  assert.is(board.result(slow, failed('f'), at(4))?.signal.since, time(2));
  board.result(slow, ok(), at(5));
  for (const seconds of [6, 7]) board.result(slow, failed('f'), at(seconds));
  assert.is(board.result(slow, failed('f'), at(8))?.signal.since, time(6));
});

test('a restart of the prober within one boot begins no new since', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'twonode-memory-')), 'prober.json');
  const before = new Board(identity, readMemory(file, 'boot-1'));
  before.result(nic, failed('eth0: carrier lost'), at(1));
  writeFileSync(file, encodeMemory(before.memory()));
  const after = new Board(identity, readMemory(file, 'boot-1'));
  assert.is(after.result(nic, failed('eth0: carrier lost'), at(9))?.signal.since, time(1));
  const rebooted = new Board(identity, readMemory(file, 'boot-2'));
  assert.is(rebooted.result(nic, failed('eth0: carrier lost'), at(9))?.signal.since, time(9));
  rmSync(file);
});

test('ever healthy survives a reboot', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'twonode-memory-')), 'prober.json');
  const api = probe('api');
  const first = new Board(identity, readMemory(file, 'boot-1'));
  assert.is(first.result(api, failed('f'), at(1))?.signal.value.ever_healthy, false);
  assert.is(first.result(api, ok(), at(2))?.signal.value.ever_healthy, true);
  writeFileSync(file, encodeMemory(first.memory()));
  const second = new Board(identity, readMemory(file, 'boot-2'));
  assert.is(second.result(api, failed('f'), at(3))?.signal.value.ever_healthy, true);
});

test('a memory that cannot be read is an empty one', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'twonode-memory-')), 'prober.json');
  for (const text of ['', '{', '[]', '{"v":2}']) {
    writeFileSync(file, text);
    assert.equal(readMemory(file, 'boot-1'), empty());
  }
});

test.run();
