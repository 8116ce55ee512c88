import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { judgeCpu } from './cpu.ts';
import { judgeMemory } from './memory.ts';

test('CPU: a warning above the limit, a failure only where the configuration calls it fatal', () => {
  assert.is(judgeCpu({ load1: 8, cores: 2 }, 4, 'warning').status, 'ok');
  const busy = { load1: 8.1, cores: 2 };
  assert.is(judgeCpu(busy, 4, 'warning').status, 'warning');
  assert.is(judgeCpu(busy, 4, 'warning').reason, 'CPU load above 4 per core');
  assert.is(judgeCpu(busy, 4, 'fatal').status, 'failed');
});

const limits = { warningAvailablePercent: 5, warningPressurePercent: 20 };
const meminfo = (available: number) =>
  `MemTotal:       1000000 kB\nMemFree:  1 kB\nMemAvailable:   ${available} kB\n`;
const pressure = (avg10: string) =>
  `some avg10=${avg10} avg60=1.00 avg300=0.50 total=9\nfull avg10=90.00 avg60=0.00 avg300=0.00 total=1\n`;

const cases: [string, string, string | null, string, string][] = [
  ['plenty', meminfo(500_000), pressure('0.00'), 'ok', ''],
  ['a kernel without PSI', meminfo(500_000), null, 'ok', ''],
  ['little left', meminfo(49_000), pressure('0.00'), 'warning', 'less than 5 % of memory available'],
  ['tasks wait for memory', meminfo(500_000), pressure('20.5'), 'warning', 'memory pressure above 20 %'],
  [
    'no figures',
    'MemFree: 1 kB\n',
    null,
    'unknown',
    'memory: /proc/meminfo has no MemTotal and MemAvailable',
  ],
];

for (const [what, info, psi, status, reason] of cases) {
  test(`memory: ${what}`, () => {
    const verdict = judgeMemory({ meminfo: info, pressure: psi }, limits, 'warning');
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
  });
}

test.run();
