#!/usr/bin/env node
// node bin/bootstrap.js TARGET [ARGUMENTS...]: makes a fresh clone ready, then runs dist/TARGET in this process.
import { pathToFileURL } from 'node:url';
import { build, checkNode, fail, installPackages, repository } from './prepare.js';

checkNode();
installPackages();
const [target] = process.argv.splice(2, 1);
// The test run counts a type error as a failure and goes on.
if (!build() && target !== 'test/run.js') fail('the TypeScript build failed: see the errors above');
if (target) await import(new URL(`dist/${target}`, pathToFileURL(repository)).href);
