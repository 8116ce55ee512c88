import { execFile } from 'node:child_process';

/** The metrics of a kube-apiserver are some MB. */
const outputMaxBytes = 64 * 1024 * 1024;

/** How a program ended, and what it printed. */
export interface ProgramResult {
  status: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end, also when it fails.
 * @param input what it reads from stdin
 * @throws Error when it hangs for more than `limitMs` milliseconds, or cannot be started
 */
export function runProgram(
  program: string,
  args: string[],
  { input = '', env = process.env, limitMs = 60_000 }: RunOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const options = { timeout: limitMs, env, maxBuffer: outputMaxBytes };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error && child.exitCode === null) {
        reject(new Error(`${program} ${args.join(' ')}: ${error.killed ? 'hangs' : error.message}`));
      } else resolve({ status: child.exitCode ?? 0, stdout, stderr });
    });
    child.stdin?.on('error', () => {}).end(input);
  });
}

export interface RunOptions {
  input?: string | undefined;
  env?: NodeJS.ProcessEnv;
  limitMs?: number;
}
