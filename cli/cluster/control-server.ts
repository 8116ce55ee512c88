import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { UserError } from '../../shared/lifecycle.ts';
import { type Fault, type FaultAnswer, faultSchema } from './faults.ts';

const bodyLimitBytes = 4_096;

/**
 * Listens on a unix socket for faults: one POST, one JSON answer.
 * @param apply makes the fault and says in a sentence what it did
 */
export async function serveControl(
  socket: string,
  apply: (fault: Fault) => Promise<string>,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: FaultAnswer) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    let body = '';
    for await (const chunk of request) if (body.length <= bodyLimitBytes) body += chunk;
    const fault = parseFault(body);
    if (!fault) return answer(400, { ok: false, text: 'not a fault that this cluster knows' });
    try {
      answer(200, { ok: true, text: await apply(fault) });
    } catch (error) {
      const status = error instanceof UserError ? 400 : 500;
      answer(status, { ok: false, text: (error as Error).message });
    }
  });
  server.listen(socket);
  await once(server, 'listening');
  return server;
}

function parseFault(body: string): Fault | null {
  try {
    return faultSchema.parse(JSON.parse(body));
  } catch {
    return null;
  }
}
