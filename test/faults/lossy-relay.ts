import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** Passes datagrams on from one address to another, and loses some on purpose. */
export class LossyRelay {
  lost = 0;
  passed = 0;
  readonly #socket: Socket = createSocket('udp4');

  /**
   * @param from where it listens, @param to where it passes on: addresses of 127.0.0.0/8 with the same port
   * @param loss chance of losing a datagram, 0 to 1
   */
  constructor(from: string, to: string, port: number, loss: number, random: () => number) {
    this.#socket.on('message', (datagram) => {
      if (random() < loss) {
        this.lost += 1;
        return;
      }
      this.passed += 1;
      this.#socket.send(datagram, port, to);
    });
    this.#socket.bind(port, from);
  }

  async listening(): Promise<void> {
    await once(this.#socket, 'listening');
  }

  close(): void {
    this.#socket.close();
  }
}
