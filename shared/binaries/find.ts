import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '../lifecycle.ts';
import { cacheFolder, toolsFolder } from './folders.ts';
import { goBuild, type Progress } from './go-build.ts';
import { requiredVersion } from './go-mod.ts';
import { withLock } from './lock.ts';
import { type BinaryName, environmentVariable, type Tool, tools } from './tools.ts';
import { findVersion, formatVersion, isRecentEnough, type Version } from './version.ts';

/** What finding a binary depends on; tests give their own. */
export interface Surroundings {
  environment: NodeJS.ProcessEnv;
  build: typeof goBuild;
}

/**
 * Finds a program, in this order: its environment variable ({@link environmentVariable}), PATH (if it is recent enough), the
 * cache folder, and last a Go build of the version that `tools/<family>/go.mod` pins.
 * @returns the path of the binary
 * @throws UserError when the variable names something unusable, or when it cannot be built
 */
export async function findBinary(
  name: BinaryName,
  onProgress: Progress = (line) => console.error(line),
  surroundings: Surroundings = { environment: process.env, build: goBuild },
): Promise<string> {
  const { environment, build } = surroundings;
  const pinned = await pinnedVersion(name);
  const given = environment[environmentVariable(name)];
  if (given) return checkGiven(name, given, pinned);
  const onPath = await searchPath(name, pinned, environment.PATH ?? '');
  if (onPath) return onPath;
  const cached = join(cacheFolder(environment), `${name}-${pinned}`);
  if (await isExecutable(cached)) return cached;
  await mkdir(dirname(cached), { recursive: true });
  await withLock(`${cached}.lock`, async () => {
    if (!(await isExecutable(cached))) await build(name, pinned, cached, onProgress);
  });
  return cached;
}

/** The version of a tool that is pinned for this project, as `v2.15.2`. */
export async function pinnedVersion(name: BinaryName): Promise<string> {
  const { family, module } = tools[name];
  return requiredVersion(await readFile(join(toolsFolder, family, 'go.mod'), 'utf8'), module);
}

async function checkGiven(name: BinaryName, path: string, pinned: string): Promise<string> {
  const variable = environmentVariable(name);
  if (!(await isExecutable(path))) {
    throw new UserError(`${variable}=${path}: there is no program that can be run`);
  }
  const tool: Tool = tools[name];
  if (!tool.versionArguments) return path;
  const version = await askVersion(path, tool.versionArguments);
  if (!version)
    throw new UserError(`${variable}=${path}: it does not tell its version, so it is not ${name}`);
  const [major, minor] = parsed(pinned);
  if (isRecentEnough(version, parsed(pinned))) return path;
  throw new UserError(
    `${variable}=${path}: ${name} ${formatVersion(version)} cannot be used, expected ${major}.${minor} or later`,
  );
}

async function searchPath(name: BinaryName, pinned: string, path: string): Promise<string | null> {
  const tool: Tool = tools[name];
  if (!tool.versionArguments) return null;
  for (const folder of path.split(delimiter).filter((part) => part !== '')) {
    const candidate = join(folder, name);
    if (!(await isExecutable(candidate))) continue;
    const version = await askVersion(candidate, tool.versionArguments);
    if (version && isRecentEnough(version, parsed(pinned))) return candidate;
  }
  return null;
}

/** Null when the program does not run, does not answer in time, or tells no version. */
async function askVersion(path: string, args: string[]): Promise<Version | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(path, args, { timeout: 10_000 });
    return findVersion(stdout + stderr);
  } catch {
    return null;
  }
}

function parsed(pinned: string): Version {
  const version = findVersion(pinned);
  if (!version) throw new Error(`go.mod pins "${pinned}", which is no version`);
  return version;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
