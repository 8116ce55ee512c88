import { execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { UserError } from '../lifecycle.ts';
import { toolsFolder } from './folders.ts';
import { requiredGo } from './go-mod.ts';
import { type BinaryName, type Tool, tools } from './tools.ts';

const reportEveryMs = 15_000;

export type Progress = (line: string) => void;

/**
 * Builds a tool from its pinned go.mod into `target`. The binary appears at once and whole: it is built under a temporary
 * name and renamed.
 * @throws UserError when Go is missing, too old, or the build fails
 */
export async function goBuild(
  name: BinaryName,
  version: string,
  target: string,
  onProgress: Progress,
): Promise<void> {
  const tool: Tool = tools[name];
  const folder = join(toolsFolder, tool.family);
  await checkGo(name, folder);
  await mkdir(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}.tmp`;
  const startedMs = Date.now();
  const minutes = tool.family === 'kubernetes' ? 'about 5 to 10 minutes the first time' : 'about a minute';
  onProgress(`building ${name} ${version} with Go (${minutes}; kept in ${dirname(target)})`);
  const report = setInterval(() => {
    onProgress(`still building ${name} ${version}, ${elapsed(Date.now() - startedMs)}`);
  }, reportEveryMs);
  try {
    await runGo(name, folder, buildArguments(tool, version, temporary), `${target}.log`);
    await rename(temporary, target);
    await rm(`${target}.log`, { force: true });
  } finally {
    clearInterval(report);
    await rm(temporary, { force: true });
  }
  onProgress(`built ${name} ${version} in ${elapsed(Date.now() - startedMs)}`);
}

function buildArguments(tool: Tool, version: string, output: string): string[] {
  const settings = tool.linkerSettings ? ` ${tool.linkerSettings.replace('VERSION', version)}` : '';
  const tags = tool.tags ? ['-tags', tool.tags] : [];
  return ['build', '-trimpath', ...tags, '-ldflags', `-s -w${settings}`, '-o', output, tool.package];
}

/** Asked inside the module's folder, so that a Go which fetches the right toolchain by itself counts as that one. */
async function checkGo(name: BinaryName, folder: string): Promise<void> {
  const needed = requiredGo(await readFile(join(folder, 'go.mod'), 'utf8'));
  try {
    await promisify(execFile)('go', ['version'], { cwd: folder });
  } catch (error) {
    const failure = error as NodeJS.ErrnoException & { stderr?: string };
    const what =
      failure.code === 'ENOENT'
        ? 'Go is not installed'
        : `Go cannot be used (${lastLine(failure.stderr ?? failure.message)})`;
    throw new UserError(
      `${name} was not found and cannot be built: ${what}; install Go >= ${needed} (https://go.dev/dl), or install ${name}`,
    );
  }
}

/** Runs go with its whole output in `log`, which is kept when it fails. */
async function runGo(name: BinaryName, folder: string, args: string[], log: string): Promise<void> {
  const go = spawn('go', args, {
    cwd: folder,
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const endWithUs = () => go.kill();
  process.once('exit', endWithUs);
  const ended = new Promise<number | null>((resolve, reject) => {
    go.once('error', reject);
    go.once('close', resolve);
  });
  const [status] = await Promise.all([ended, pipeline(go.stderr, createWriteStream(log))]);
  process.off('exit', endWithUs);
  if (status === 0) return;
  const reason = lastLine(await readFile(log, 'utf8'));
  throw new UserError(`the build of ${name} failed: ${reason} (all of it: ${log})`);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || 'no reason given';
}

function elapsed(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
