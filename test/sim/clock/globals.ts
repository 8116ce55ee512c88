import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Random } from '../random.ts';
import type { Appointment, Scheduler } from './scheduler.ts';

/**
 * Puts the virtual clock and seeded randomness in the place of Node's own, for all code of this process, while a
 * simulation runs. Each process of the simulation sees the clock of its machine.
 * @returns puts Node's own back
 */
export function installGlobals(scheduler: Scheduler, random: Random): () => void {
  const timers = timersOf(scheduler);
  const replaced = [
    replace(globalThis, timers),
    replace(globalThis, { Date: dateOf(scheduler), performance: performanceOf(scheduler) }),
    // Timers that are imported, not global.
    replace(timersPromises, {
      setTimeout: (ms?: number, value?: unknown) =>
        new Promise((resolve) => timers.setTimeout(() => resolve(value), ms)),
    }),
    replace(Math, { random: () => random.next() }),
    replace(crypto, {
      randomBytes: (length: number) => random.bytes(length),
      randomUUID: () => random.bytes(16).toString('hex'),
      hash: cheapHash,
    }),
  ];
  syncBuiltinESMExports();
  return () => {
    for (const undo of replaced) undo();
    syncBuiltinESMExports();
  };
}

function replace(target: object, values: object): () => void {
  const before: PropertyDescriptorMap = {};
  for (const [name, value] of Object.entries(values)) {
    const descriptor = Object.getOwnPropertyDescriptor(target, name);
    if (descriptor) before[name] = descriptor;
    Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: true });
  }
  return () => Object.defineProperties(target, before);
}

/** Of the beats' HMAC: nobody forges them here, and real hashes would be a tenth of all work. */
function cheapHash(_algorithm: string, bytes: Uint8Array): Buffer {
  const digest = Buffer.alloc(32);
  digest.writeUInt32LE(crc32(bytes), 0);
  return digest;
}

/** What `setTimeout` and `setInterval` return. */
class SimulatedTimer {
  appointment: Appointment | null = null;

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

type Callback = (...args: unknown[]) => void;

function timersOf(scheduler: Scheduler) {
  /** A machine whose clock is fast waits less. Node's timers wait at least a millisecond. */
  const trueDelayMs = (ms = 0) => Math.max(ms, 1) / (scheduler.current?.clock.rate ?? 1);
  const clear = (timer?: SimulatedTimer) => timer?.appointment?.cancel();
  return {
    setTimeout: (callback: Callback, ms?: number, ...args: unknown[]) => {
      const timer = new SimulatedTimer();
      timer.appointment = scheduler.after(trueDelayMs(ms), scheduler.current, () => callback(...args));
      return timer;
    },
    setInterval: (callback: Callback, ms?: number, ...args: unknown[]) => {
      const timer = new SimulatedTimer();
      const process = scheduler.current;
      const delayMs = trueDelayMs(ms);
      const tick = () => {
        timer.appointment = scheduler.after(delayMs, process, tick);
        callback(...args);
      };
      timer.appointment = scheduler.after(delayMs, process, tick);
      return timer;
    },
    setImmediate: (callback: Callback, ...args: unknown[]) => {
      const timer = new SimulatedTimer();
      timer.appointment = scheduler.after(0, scheduler.current, () => callback(...args));
      return timer;
    },
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
}

function wallMs(scheduler: Scheduler): number {
  const { current, nowMs } = scheduler;
  return current ? current.wallMs(nowMs) : Math.floor(nowMs);
}

function dateOf(scheduler: Scheduler): DateConstructor {
  return new Proxy(Date, {
    construct: (target, args: []) =>
      args.length === 0 ? new target(wallMs(scheduler)) : new target(...args),
    get: (target, name) => (name === 'now' ? () => wallMs(scheduler) : Reflect.get(target, name)),
  });
}

function performanceOf(scheduler: Scheduler) {
  return {
    now: () => scheduler.current?.monotonicMs(scheduler.nowMs) ?? scheduler.nowMs,
    get timeOrigin() {
      return scheduler.current?.timeOriginMs ?? 0;
    },
  };
}
