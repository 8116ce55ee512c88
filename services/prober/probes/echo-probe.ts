import { ok, type Verdict } from '../verdict.ts';
import { EchoStream } from './echo-stream.ts';
import { judgeIcmp, readIcmp } from './icmp.ts';

/** ICMP echo to one target: by a stream while that is answered, by several echoes when it is not, or when there is none. */
export class EchoProbe {
  readonly #intervalMs: number;
  readonly #timeoutMs: number;
  #poke: (() => void) | null = null;
  #stream: EchoStream | null = null;

  constructor({ interval, timeout }: { interval: number; timeout: number }) {
    this.#intervalMs = interval;
    this.#timeoutMs = timeout;
  }

  /**
   * From now on there is a stream.
   * @param poke is called when its next answer is overdue
   * @returns what ends it
   */
  attach(poke: () => void): () => void {
    this.#poke = poke;
    return () => {
      this.#poke = null;
      this.#stream?.stop();
    };
  }

  /**
   * @param address of the target now: a gateway may change
   * @param name what is asked, as the reason names it
   */
  async run(address: string, name: string): Promise<Verdict> {
    const stream = this.#streamTo(address);
    const rttMs = stream?.recentRttMs(performance.now()) ?? null;
    if (rttMs !== null) return ok({ address, method: 'icmp', rtt_ms: rttMs });
    const reading = await readIcmp(address, this.#timeoutMs);
    if (reading.alive) stream?.answeredElsewhere(performance.now());
    return judgeIcmp(reading, name);
  }

  #streamTo(address: string): EchoStream | null {
    if (!this.#poke || this.#stream?.address === address) return this.#stream;
    this.#stream?.stop();
    this.#stream = new EchoStream(address, this.#intervalMs);
    this.#stream.start(this.#poke);
    return this.#stream;
  }
}
