import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findBinary } from '../../shared/binaries/find.ts';
import { freeNatsPorts } from '../../shared/nats-server/child.ts';
import { singleNodeConfig } from '../../shared/nats-server/config.ts';
import { freePort } from '../../shared/process/ports.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { end } from '../etcd-servers.ts';

const program = fileURLToPath(new URL('endpoint-main.js', import.meta.url));
const password = 'kills';
/** Small, so that the log is cleaned again and again. */
const quotaBytes = 8 * 1024 * 1024;
const readyLimitMs = 30_000;
const pollMs = 20;

export interface Kill {
  victim: 'shim' | 'nats-server' | 'both';
  stallMs: number;
}

/** A shim and its nats-server, side by side: either can be killed alone, and is then started again on the same data. */
export class Target {
  readonly folder: string;
  readonly address: string;
  readonly #binary: string;
  readonly #ports: { nats: number; monitoring: number };
  #nats: ChildProcess | null = null;
  #shim: ChildProcess | null = null;

  private constructor(folder: string, address: string, binary: string, ports: Target['ports']) {
    this.folder = folder;
    this.address = address;
    this.#binary = binary;
    this.#ports = ports;
  }

  static async start(): Promise<Target> {
    const ports = await freeNatsPorts();
    const folder = mkdtempSync(join(tmpdir(), 'twonode-kills-'));
    const address = `127.0.0.1:${await freePort()}`;
    const target = new Target(folder, address, await findBinary('nats-server'), ports);
    mkdirSync(target.#natsFolder);
    const config = singleNodeConfig('kills', target.#natsFolder, ports, { services: password });
    writeFileSync(target.#configFile, config, { mode: 0o600 });
    await target.#startNats();
    await target.#startShim();
    return target;
  }

  /**
   * SIGKILL, and the same again. Resolves when calls can be answered.
   * @param stallMs how long nats-server stands still (SIGSTOP) before that: what it was sent meanwhile is lost with it, so
   * that a shim which answers too early is found out
   */
  async kill({ victim, stallMs }: Kill): Promise<void> {
    if (stallMs > 0) {
      this.#nats?.kill('SIGSTOP');
      await delay(stallMs);
    }
    const dead = [victim === 'shim' ? null : this.#nats, victim === 'nats-server' ? null : this.#shim];
    // One signal right after the other: both are gone before either has noticed.
    await Promise.all(dead.map((child) => child && end(child, 'SIGKILL')));
    if (victim === 'shim') this.#nats?.kill('SIGCONT');
    else await this.#startNats();
    if (victim !== 'nats-server') await this.#startShim();
  }

  /** @param keep whether the folder stays */
  async stop(keep: boolean): Promise<void> {
    for (const child of [this.#shim, this.#nats]) if (child) await end(child, 'SIGKILL');
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
  }

  get ports() {
    return this.#ports;
  }

  get #natsFolder(): string {
    return join(this.folder, 'nats');
  }

  get #configFile(): string {
    return join(this.#natsFolder, 'nats-server.conf');
  }

  async #startNats(): Promise<void> {
    this.#nats = spawnTethered(this.#binary, ['--config', this.#configFile], {
      deathSignal: 'KILL',
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const deadline = performance.now() + readyLimitMs;
    while (!(await this.#isHealthy())) {
      if (performance.now() > deadline) throw new Error(`nats-server is not ready, see ${this.#natsFolder}`);
      await delay(pollMs);
    }
  }

  #isHealthy(): Promise<boolean> {
    return fetch(`http://127.0.0.1:${this.#ports.monitoring}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async #startShim(): Promise<void> {
    const args = [
      program,
      `http://${this.address}`,
      `nats://127.0.0.1:${this.#ports.nats}`,
      password,
      String(quotaBytes),
      this.folder,
    ];
    const child = spawnTethered(process.execPath, args, {
      deathSignal: 'KILL',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#shim = child;
    const limit = AbortSignal.timeout(readyLimitMs);
    const ended = once(child, 'exit', { signal: limit }).then(([status]) => {
      throw new Error(`the shim ended with ${status} before it was ready`);
    });
    if (!child.stdout) throw new Error('the shim has no output');
    const ready = once(child.stdout, 'data', { signal: limit });
    await Promise.race([ready, ended]);
    // It ends one day: that is no failure any more.
    ended.catch(() => undefined);
  }
}
