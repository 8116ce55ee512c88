import type { NatsConnection } from 'nats';

/**
 * Sends over a connection that may not be there. While nats-server is away nothing is sent and nothing is kept: the client
 * would else pile up signals that are long outdated when it is back.
 */
export class BusSender {
  #connection: NatsConnection | null = null;
  #connected = false;

  /** @param onConnect called now, and each time that nats-server is back */
  attach(connection: NatsConnection, onConnect: () => void): void {
    this.#connection = connection;
    this.#connected = true;
    void this.#follow(connection, onConnect);
    onConnect();
  }

  connected(): boolean {
    return this.#connected;
  }

  /** @returns false when nats-server is away */
  send(subject: string, data: Uint8Array): boolean {
    if (!this.#connected || !this.#connection) return false;
    this.#connection.publish(subject, data);
    return true;
  }

  async close(): Promise<void> {
    if (this.#connected) await this.#connection?.drain();
  }

  async #follow(connection: NatsConnection, onConnect: () => void): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') this.#connected = false;
      if (status.type === 'reconnect') {
        this.#connected = true;
        onConnect();
      }
    }
    this.#connected = false;
  }
}
