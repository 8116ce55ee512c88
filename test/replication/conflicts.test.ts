import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { askConflicts } from '../../cli/conflicts/ask.ts';
import { renderConflict, renderList } from '../../cli/conflicts/render.ts';
import type { ConflictView } from '../../shared/conflicts.ts';
import { subjects } from '../../shared/subjects.ts';
import { type NodePair, startNodePair } from './node-pair.ts';

/** What both nodes changed while apart, as people list, show, apply and drop it: on two real nats-servers. */
const test = suite<{ pair: NodePair }>('conflicts');

const keys = {
  config: '/registry/configmaps/default/web',
  secret: '/registry/secrets/default/password',
  deleted: '/registry/configmaps/default/deleted',
  slice: '/registry/endpointslices/default/web',
};

test.before(async (context) => {
  const pair = await startNodePair();
  context.pair = pair;
  const { leader, follower, link } = pair;
  for (const key of Object.values(keys)) await leader.put(key, 'base');
  await follower.follows();
  link.set(true);
  await follower.isAlone();
  for (const key of Object.values(keys)) {
    await leader.put(key, '{"by": "leader"}');
    if (key === keys.deleted) await follower.delete(key);
    else await follower.put(key, '{"by": "follower"}');
  }
  link.set(false);
  await follower.follows();
});
test.after(({ pair }) => pair.stop());

function ask(pair: NodePair, request: object, node = 'node-a'): Promise<ConflictView[]> {
  return askConflicts({ config: pair.servers.configFile, node }, { v: 1, ...request } as never);
}

async function find(pair: NodePair, key: string): Promise<ConflictView> {
  const found = (await ask(pair, { op: 'list' })).find((conflict) => conflict.key === key);
  if (!found) throw new Error(`no conflict over ${key}`);
  return found;
}

const refusalOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: Error) => error.message,
  );

test('both nodes list the same, and the routine one is hidden', async ({ pair }) => {
  const lists = [];
  for (const node of ['node-a', 'node-b']) lists.push(await ask(pair, { op: 'list' }, node));
  assert.equal(lists[0], lists[1]);
  const forPeople = (lists[0] ?? []).filter(({ routine }) => !routine);
  assert.equal(forPeople.map(({ key }) => key).sort(), [keys.config, keys.deleted, keys.secret].sort());
  const text = renderList(forPeople, 1, Date.now());
  assert.match(
    text,
    /^[0-9a-f]{10} {2}\d+s {2,}leader-wins {2}node-a's stays {2}\/registry\/configmaps\/default\/web$/m,
  );
  assert.match(text, '1 routine ones are hidden (--all shows them)');
  assert.is(pair.leader.node.facts().conflicts, 3);
});

test('a conflict is shown with both sides; values of Secrets only when they are asked for', async ({
  pair,
}) => {
  const { id } = await find(pair, keys.config);
  const [shown] = await ask(pair, { op: 'show', id });
  const text = renderConflict(shown as ConflictView);
  assert.match(text, '= stays  node-a: 16 bytes');
  assert.match(text, '~ other  node-b: 18 bytes');
  assert.match(text, '  ~   "by": "follower"');
  const secret = await find(pair, keys.secret);
  const [hidden] = await ask(pair, { op: 'show', id: secret.id });
  assert.not.match(JSON.stringify(hidden), Buffer.from('{"by": "follower"}').toString('base64'));
  assert.match(renderConflict(hidden as ConflictView), '--show-values shows them');
  const [open] = await ask(pair, { op: 'show', id: secret.id, secrets: true });
  assert.match(renderConflict(open as ConflictView), '"by": "follower"');
});

test('an observer may not ask', async ({ pair }) => {
  const observer = await pair.servers.connect('node-a', 'observer');
  const answer = await observer
    .request(subjects.rpc('node-a', 'conflicts'), '{"v":1,"op":"list"}', { timeout: 500 })
    .then(
      () => 'answered',
      () => 'refused',
    );
  assert.is(answer, 'refused');
});

test('apply through the follower writes the other version where the key is as it was seen', async ({
  pair,
}) => {
  const { id, current_revision: revision } = await find(pair, keys.config);
  await pair.leader.put(keys.config, 'changed meanwhile');
  assert.match(
    await refusalOf(ask(pair, { op: 'apply', id, revision }, 'node-b')),
    /^\/registry\/configmaps\/default\/web is at revision \d+ now, not at \d+: look at it again$/,
  );
  const seen = await find(pair, keys.config);
  assert.match(renderConflict(seen), 'the key has changed since then');
  await ask(pair, { op: 'apply', id, revision: seen.current_revision }, 'node-b');
  assert.is(await pair.follower.get(keys.config), '{"by": "follower"}');
  assert.is(await pair.leader.get(keys.config), '{"by": "follower"}');
  assert.is(await refusalOf(ask(pair, { op: 'drop', id })), `there is no open conflict ${id}`);
});

test('a deletion is applied too, and what is dropped leaves the key alone', async ({ pair }) => {
  const { id, current_revision: revision } = await find(pair, keys.deleted);
  await ask(pair, { op: 'apply', id, revision });
  assert.is(await pair.leader.get(keys.deleted), undefined);
  const secret = await find(pair, keys.secret);
  await ask(pair, { op: 'drop', id: secret.id });
  assert.is(await pair.leader.get(keys.secret), '{"by": "leader"}');
});

test('what is ended stays so after restarts, on both nodes', async ({ pair }) => {
  await pair.leader.restart();
  await pair.follower.restart();
  await pair.follower.follows();
  for (const { node } of [pair.leader, pair.follower])
    assert.equal(
      [...node.database.conflicts].map(({ key }) => key),
      [keys.slice],
    );
});

test('alone, the follower ends no conflict', async ({ pair }) => {
  const { id } = await find(pair, keys.slice);
  pair.link.set(true);
  await pair.follower.isAlone();
  assert.is(
    await refusalOf(ask(pair, { op: 'drop', id }, 'node-b')),
    'conflicts are ended while the leader can be reached',
  );
  pair.link.set(false);
  await pair.follower.follows();
});

test.run();
