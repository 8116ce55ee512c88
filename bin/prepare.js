// Plain JavaScript without packages: this runs on a fresh clone, before anything is installed or built.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('..', import.meta.url));

/** Ends the process with one sentence. */
export function fail(sentence) {
  console.error(`twonode: ${sentence}`);
  process.exit(1);
}

/** Ends the process when this Node is older than package.json's `engines` asks for. */
export function checkNode() {
  const { engines } = readJson('package.json');
  const needed = engines.node.replace('>=', '').split('.').map(Number);
  const running = process.versions.node.split('.').map(Number);
  if (running[0] > needed[0] || (running[0] === needed[0] && running[1] >= needed[1])) return;
  fail(`Node ${process.versions.node} is too old: install Node ${engines.node} (https://nodejs.org)`);
}

/** Installs the packages of package-lock.json unless exactly these are installed. */
export function installPackages() {
  if (isInstalled()) return;
  console.error('twonode: installing packages (npm ci) ...');
  const { status } = run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (status !== 0)
    fail('npm ci failed: look at its message above; it needs a package registry it can reach');
}

/** npm keeps what it installed in a lock file of its own. Packages for other systems are optional and not there. */
function isInstalled() {
  if (!existsSync(join(repository, 'node_modules/.package-lock.json'))) return false;
  const installed = readJson('node_modules/.package-lock.json').packages;
  return Object.entries(readJson('package-lock.json').packages).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  );
}

/** Compiles into dist/. Returns whether there were no errors; it prints those that there are. */
export function build() {
  return run(join(repository, 'node_modules/.bin/tsc'), ['-p', repository]).status === 0;
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: repository, stdio: ['ignore', 2, 2] });
  if (result.error?.code === 'ENOENT')
    fail(`${command} was not found: install Node with npm (https://nodejs.org)`);
  return result;
}

function readJson(file) {
  return JSON.parse(readFileSync(join(repository, file), 'utf8'));
}
