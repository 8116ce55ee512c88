import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { repository } from './runner/jobs.ts';

interface LockedPackage {
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedPackage>;
};

test('has an entry for each optional dependency: npm ci refuses a lock without the packages of other platforms', () => {
  for (const [path, { optionalDependencies }] of Object.entries(lock.packages)) {
    for (const name of Object.keys(optionalDependencies ?? {})) {
      assert.ok(lock.packages[`node_modules/${name}`], `${path} names ${name}, which has no entry`);
    }
  }
});

test('names no registry host', () => {
  for (const [path, { resolved }] of Object.entries(lock.packages)) assert.is(resolved, undefined, path);
});

test.run();
