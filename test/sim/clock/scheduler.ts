import { EventQueue, type QueuedEvent } from './event-queue.ts';
import type { SimulatedProcess } from './process.ts';

interface Scheduled extends QueuedEvent {
  atMs: number;
  order: number;
  /** Null: the world itself. */
  process: SimulatedProcess | null;
  run: (() => void) | null;
}

/** Something that was scheduled and can be called off. */
export interface Appointment {
  cancel(): void;
}

/** So many events are run before Node's own loop gets a turn: it finds rejections that nobody handles only then. */
const eventsPerTurn = 256;
/** The real one: the global is replaced while a simulation runs. */
const nextTurn = setImmediate;

/**
 * The one virtual clock: everything that happens is an event on it, and belongs to a process. Between two events all
 * promises that can go on do so, as in Node's own event loop, so one seed is one order of everything.
 */
export class Scheduler {
  readonly #queue = new EventQueue<Scheduled>();
  #nowMs = 0;
  #order = 0;
  /** The process whose code runs; null between events, and for the world's own. */
  current: SimulatedProcess | null = null;
  /** Called after each event and all that it set off. */
  afterEvent: () => void = () => undefined;
  /** Called with what an event's code throws and nobody catches. */
  onUncaught: (process: SimulatedProcess | null, error: unknown) => void = (_process, error) => {
    throw error;
  };
  events = 0;

  /** True time, in milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs something after a delay in true milliseconds. It does not happen if its process has died by then. */
  after(delayMs: number, process: SimulatedProcess | null, run: () => void): Appointment {
    const event: Scheduled = {
      atMs: this.#nowMs + Math.max(delayMs, 0),
      order: this.#order++,
      process,
      run,
    };
    this.#queue.push(event);
    return {
      cancel: () => {
        event.run = null;
      },
    };
  }

  /** Runs everything up to a time. Resolves when the clock stands there. */
  async runUntil(endMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      let untilTurn = eventsPerTurn;
      const step = () => {
        const event = this.#take(endMs);
        if (!event) {
          this.#nowMs = Math.max(this.#nowMs, endMs);
          resolve();
          return;
        }
        this.#run(event);
        // The next tick comes when no promise can go on any more.
        if (--untilTurn > 0) {
          queueMicrotask(() => process.nextTick(finish));
        } else {
          untilTurn = eventsPerTurn;
          nextTurn(finish);
        }
      };
      const finish = () => {
        this.current = null;
        this.afterEvent();
        step();
      };
      nextTurn(step);
    });
  }

  #take(endMs: number): Scheduled | undefined {
    for (let event = this.#queue.next; event && event.atMs <= endMs; event = this.#queue.next) {
      this.#queue.pop();
      const { process } = event;
      if (event.run === null || (process && !process.alive)) continue;
      if (process && process.pausedUntilMs > event.atMs) {
        // It waits in a timer or a socket until the process goes on.
        event.atMs = process.pausedUntilMs;
        event.order = this.#order++;
        this.#queue.push(event);
        continue;
      }
      return event;
    }
    return undefined;
  }

  #run(event: Scheduled): void {
    this.#nowMs = event.atMs;
    this.current = event.process;
    this.events++;
    try {
      event.run?.();
    } catch (error) {
      this.onUncaught(event.process, error);
    }
  }
}
