import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Probe } from './probe.ts';
import { isProgram, lacksOf, lacksPermission, lacksPrograms } from './rights.ts';
import { ok } from './verdict.ts';

const probe = (check: string, lacks?: Probe['lacks']): Probe => ({
  area: 'local',
  check,
  severity: 'fatal',
  interval: 10,
  timeout: 10,
  failureThreshold: 1,
  successThreshold: 1,
  how: '',
  advice: '',
  ...(lacks && { lacks }),
  run: async () => ok(),
});

test('only those that lack something are named', async () => {
  const probes = [probe('a'), probe('b', async () => null), probe('c', async () => 'the program "x"')];
  assert.equal(await lacksOf(probes), [{ check: 'local.c', lacks: 'the program "x"' }]);
});

test('a program is a file on the path that may be run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-rights-'));
  const path = `/nowhere:${folder}`;
  assert.is(await isProgram('tool', path), false);
  writeFileSync(join(folder, 'tool'), '#!/bin/sh\n', { mode: 0o600 });
  assert.is(await isProgram('tool', path), false);
  chmodSync(join(folder, 'tool'), 0o700);
  assert.is(await isProgram('tool', path), true);
  rmSync(folder, { recursive: true });
});

test('a missing program is named with its package, and what is without it', async () => {
  const lacks = await lacksPrograms({ sh: 'dash', 'twonode-nothing': 'none' }, 'it is slow');
  assert.is(lacks, 'the program "twonode-nothing" (package none); it is slow');
});

test('a folder that is not there yet lacks no permission', async () => {
  assert.is(await lacksPermission('/nowhere/at/all', 'write'), null);
});

test.run();
