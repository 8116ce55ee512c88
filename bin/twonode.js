#!/usr/bin/env node
// The twonode command, and under its other name the kubectl plugin. Builds itself when it runs from a fresh clone.
import { existsSync } from 'node:fs';
import { build, checkNode, fail, installPackages } from './prepare.js';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (!existsSync(main)) {
  checkNode();
  installPackages();
  if (!build()) fail('the TypeScript build failed: see the errors above');
}
await import(main.href);
