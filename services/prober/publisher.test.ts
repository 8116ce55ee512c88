import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { signalSchema } from '../../shared/messages.ts';
import type { Measured } from './board.ts';
import { Publisher, refreshSpacing } from './publisher.ts';

const signal = (check: string): Measured => ({
  v: 1,
  node: 'node-a',
  area: 'local',
  check,
  status: 'ok',
  since: '2026-01-01T00:00:00.000Z',
  at: '2026-01-01T00:00:00.000Z',
  ttl_ms: 15_000,
  reason: '',
  severity: 'fatal',
  boot_id: 'boot-1',
  value: {},
});

test('a message is a valid signal, counted for each subject', () => {
  const sent: { subject: string; seq: number }[] = [];
  const publisher = new Publisher((subject, data) => {
    sent.push({ subject, seq: signalSchema.parse(JSON.parse(Buffer.from(data).toString())).seq });
    return true;
  });
  publisher.publish(signal('nic'), 0);
  publisher.publish(signal('cpu'), 1);
  publisher.publish(signal('nic'), 2);
  assert.equal(sent, [
    { subject: 'twonode.health.node-a.local.nic', seq: 0 },
    { subject: 'twonode.health.node-a.local.cpu', seq: 0 },
    { subject: 'twonode.health.node-a.local.nic', seq: 1 },
  ]);
});

test('in quiet every signal is refreshed well within its ttl, and no faster than people read', () => {
  const checks = Array.from({ length: 12 }, (_, index) => signal(`check-${index}`));
  const sentMs = new Map<string, number[]>();
  let now = 0;
  const publisher = new Publisher((subject) => {
    sentMs.set(subject, [...(sentMs.get(subject) ?? []), now]);
    return true;
  });
  for (; now < 60_000; now += refreshSpacing) publisher.refresh(checks, now);
  const lines = [...sentMs.values()].flat().length;
  assert.ok(lines <= 60 * 1.5 + 1, `${lines} lines in a minute`);
  for (const times of sentMs.values()) {
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    assert.ok(Math.max(...gaps) < 15_000 / 1.5, `${gaps}`);
    assert.ok(Math.min(...gaps) >= 5_000, `${gaps}`);
  }
});

test('what could not be sent is not counted', () => {
  let away = true;
  const publisher = new Publisher(() => !away);
  publisher.publish(signal('nic'), 0);
  assert.is(publisher.numbered(signal('nic')).seq, 0);
  away = false;
  publisher.publish(signal('nic'), 1);
  assert.is(publisher.numbered(signal('nic')).seq, 1);
});

test.run();
