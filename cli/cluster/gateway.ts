import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** The gateway of a loopback cluster: a TCP port that answers, until it is closed. */
export class Gateway {
  private readonly port: number;
  private server: Server | undefined;

  constructor(port: number) {
    this.port = port;
  }

  async open(): Promise<void> {
    if (this.server) return;
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end();
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.server = server;
  }

  close(): void {
    this.server?.close();
    this.server = undefined;
  }
}
