import { existsSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { inOddBand } from '../../services/shim/store/revision-band.ts';
import { logStream } from '../../shared/nats-server/names.ts';
import { nodePaths } from '../../shared/paths.ts';
import { subjects } from '../../shared/subjects.ts';
import { type NodePair, type RunningNode, startNodePair } from './node-pair.ts';

/** The roles of two nodes are exchanged in their configuration. */
interface Context {
  pair: NodePair;
  a: RunningNode;
  b: RunningNode;
}
const test = suite<Context>('exchange of the roles');

test.before.each(async (context) => {
  context.pair = await startNodePair();
  context.a = context.pair.leader;
  context.b = context.pair.follower;
  await context.b.follows();
});
test.after.each(({ pair }) => pair.stop());

const leads = (node: RunningNode) => node.until((facts) => facts.logVerified);
const waits = (node: RunningNode) => node.until(({ failure }) => /leads this log/.test(failure ?? ''));
const revision = (node: RunningNode) => node.node.database.store.visible;

function promote({ pair }: Context): void {
  writeFileSync(nodePaths(pair.config, 'node-b').promoteMark, '');
}

test('the old leader hands over, nothing is lost, and the revision goes on', async ({ pair, a, b }) => {
  await a.put('/from/a', '1');
  await b.put('/from/b', '2');
  const before = revision(a);
  await pair.exchangeRoles();
  await leads(b);
  await a.follows();
  assert.is(b.node.database.leadership?.node, 'node-b');
  assert.is(revision(b), before);
  await b.put('/later/b', '3');
  await a.put('/later/a', '4');
  assert.equal(await a.contents(), await b.contents());
  assert.is(a.now().size, 4);
});

test('what only the old leader holds is taken from it first', async ({ pair, a, b }) => {
  pair.link.set(true);
  await b.isAlone();
  await a.put('/behind the cut', '1');
  await pair.exchangeRoles();
  await leads(b);
  assert.is(b.now().get('/behind the cut'), '1');
});

test('what the new leader wrote alone before is merged', async ({ pair, a, b }) => {
  await a.put('/both', 'base');
  await b.get('/both');
  pair.link.set(true);
  await b.isAlone();
  await b.put('/alone', 'b');
  await b.put('/both', 'b');
  await a.put('/both', 'a');
  await pair.exchangeRoles();
  await leads(b);
  await a.follows();
  assert.is(await b.get('/alone'), 'b');
  assert.is(await b.get('/both'), 'a');
  assert.is(b.node.facts().conflicts, 1);
  assert.equal(await a.contents(), await b.contents());
});

test('without the old leader the new one does not lead, and says what to do', async ({ pair, b }) => {
  await pair.exchangeRoles(['node-b']);
  await waits(b);
  assert.match(b.node.facts().failure ?? '', /start node-a as the follower.*twonode promote/);
  await assertRefused(b.put('/too early', 'x'));
  await pair.startStopped('node-a');
  await leads(b);
});

test('killed while it hands over: the rest is done at the next start', async ({ pair, a, b }) => {
  await a.put('/1', '1');
  await pair.exchangeRoles(['node-a']);
  const handedOver = a.node.cluster.logSequence();
  await a.close();
  // As it stands between the two steps: the log says that node-b leads, and can still be written.
  const connection = await pair.servers.connect('node-a', 'services');
  const manager = await streamManager(connection);
  await manager.streams.update(logStream(1), { subjects: [subjects.logRecords] });
  await a.open();
  assert.is(a.node.cluster.logSequence(), handedOver);
  await pair.startStopped('node-b');
  await leads(b);
  await a.follows();
  assert.equal(await a.contents(), await b.contents());
});

test('an old leader that lacks records does not hand over', async ({ pair, a }) => {
  await a.put('/1', '1');
  writeFileSync(nodePaths(pair.config, 'node-a').restoreMark, '');
  await assertRefused(pair.exchangeRoles(['node-a']), 'has not got back yet from node-b what it lacks');
});

test('an old leader that comes back with its old role does not lead beside the new one', async ({
  pair,
  a,
  b,
}) => {
  await pair.exchangeRoles();
  await leads(b);
  await a.follows();
  await pair.exchangeRoles([]);
  // Its file was changed back on this node alone.
  await pair.startStopped('node-a');
  await waits(a);
  await assertRefused(a.put('/two leaders', 'x'));
});

test('the roles are exchanged to and fro', async ({ pair, a, b }) => {
  await a.put('/1', '1');
  await pair.exchangeRoles();
  await leads(b);
  await a.follows();
  await b.put('/2', '2');
  await pair.exchangeRoles();
  await leads(a);
  await b.follows();
  await b.put('/3', '3');
  assert.equal(await a.contents(), await b.contents());
  assert.is(a.now().size, 3);
  assert.is(a.node.database.leadership?.generation, 3);
});

test('an exchange that is taken back before the new leader was there', async ({ pair, a, b }) => {
  await a.put('/1', '1');
  await pair.exchangeRoles(['node-a']);
  await pair.exchangeRoles();
  await leads(a);
  await b.follows();
  await b.put('/2', '2');
  assert.equal(await a.contents(), await b.contents());
});

test('promoted over a leader that is gone: it leads above all that was used, with what it wrote alone', async (context) => {
  const { pair, a, b } = context;
  await a.put('/1', '1');
  await b.get('/1');
  pair.link.set(true);
  await b.isAlone();
  await b.put('/alone', 'b');
  const alone = revision(b);
  promote(context);
  await pair.exchangeRoles(['node-b']);
  await leads(b);
  assert.equal(
    [...b.now()],
    [
      ['/1', '1'],
      ['/alone', 'b'],
    ],
  );
  assert.ok(revision(b) > alone);
  assert.ok(inOddBand(alone) && !inOddBand(revision(b)));
  assert.not(existsSync(nodePaths(pair.config, 'node-b').promoteMark));
  await b.restart();
  await leads(b);
});

test('a leader that was thought to be gone comes back as the follower: what only it has is merged', async (context) => {
  const { pair, a, b } = context;
  pair.link.set(true);
  await b.isAlone();
  await a.put('/only on a', 'a');
  promote(context);
  await pair.exchangeRoles(['node-b']);
  await leads(b);
  await b.put('/only on b', 'b');
  await pair.startStopped('node-a');
  await a.follows();
  assert.equal(await a.contents(), await b.contents());
  assert.equal([...b.now().keys()], ['/only on a', '/only on b']);
});

async function assertRefused(promise: Promise<unknown>, text = ''): Promise<void> {
  const failure = await promise.then(
    () => null,
    (error: Error) => error,
  );
  assert.instance(failure, Error);
  assert.match(failure?.message ?? '', text);
}

test.run();
