import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UserError } from '../../shared/lifecycle.ts';
import { requestFault } from './control-client.ts';
import { serveControl } from './control-server.ts';
import type { Fault } from './faults.ts';

interface Context {
  folder: string;
  socket: string;
  server: Server;
  applied: Fault[];
}
const test = suite<Context>('fault control');

test.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-control-'));
  context.socket = join(context.folder, 'control');
  context.applied = [];
  context.server = await serveControl(context.socket, async (fault) => {
    if ('node' in fault && fault.node === 'node-z') throw new UserError('there is no node "node-z"');
    context.applied.push(fault);
    return `did ${fault.fault}`;
  });
});
test.after(({ server, folder }) => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function message(promise: Promise<string>): Promise<string> {
  return promise.catch((error: Error) => `${error.name}: ${error.message}`);
}

test('passes a fault on and returns what was done', async ({ socket, applied }) => {
  assert.is(await requestFault(socket, { fault: 'cut-link' }), 'did cut-link');
  assert.equal(applied, [{ fault: 'cut-link' }]);
});

test('a refusal is a UserError with its sentence', async ({ socket }) => {
  const refused = requestFault(socket, { fault: 'stop-api', node: 'node-z' });
  assert.is(await message(refused), 'UserError: there is no node "node-z"');
});

test('what is no fault is refused', async ({ socket }) => {
  const refused = requestFault(socket, { fault: 'melt' } as unknown as Fault);
  assert.is(await message(refused), 'UserError: not a fault that this cluster knows');
});

test('no cluster is a UserError too', async ({ folder }) => {
  const refused = requestFault(join(folder, 'nowhere'), { fault: 'heal' });
  assert.is(await message(refused), 'UserError: the cluster does not answer: "npm start" starts one');
});

test.run();
