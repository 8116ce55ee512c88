import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConflictPolicy } from '../../services/shim/log/record.ts';
import { overlayStream } from '../../shared/nats-server/names.ts';
import { subjects } from '../../shared/subjects.ts';
import { type NodePair, startNodePair } from './node-pair.ts';

/**
 * kill -9 of either nats-server and of either shim at each step of a merge: when the follower asks for it, when the leader writes it, and when the
 * overlay is removed. All that both clients were told stays, whatever the policy.
 */
const steps = [
  { step: 'the follower asks', node: 'node-b', subject: subjects.rpc('node-a', 'merge') },
  { step: 'the leader writes', node: 'node-a', subject: subjects.logRecords },
  {
    step: 'the overlay is removed',
    node: 'node-b',
    subject: `$JS.API.STREAM.DELETE.${overlayStream(1)}`,
  },
] as const;

const victims = [
  { name: "the leader's nats-server", kill: ({ servers }: NodePair) => killProcess(servers.leader.pid) },
  { name: "the follower's nats-server", kill: ({ servers }: NodePair) => killProcess(servers.follower.pid) },
  { name: "the leader's shim", kill: ({ leader }: NodePair) => leader.kill() },
  { name: "the follower's shim", kill: ({ follower }: NodePair) => follower.kill() },
] as const;
type Victim = (typeof victims)[number];

async function killProcess(pid: number | undefined): Promise<void> {
  process.kill(pid ?? 0, 'SIGKILL');
}

/** Kills at the first message of a step. `killed` resolves when that has happened. */
async function killAt(pair: NodePair, { node, subject }: (typeof steps)[number], { kill }: Victim) {
  const tap = await pair.servers.connect(node, 'services');
  const killed = new Promise<void>((resolve, reject) => {
    tap.subscribe(subject, { max: 1, callback: () => void kill(pair).then(resolve, reject) });
  });
  await tap.flush();
  return { killed, close: () => tap.close() };
}

async function round(pair: NodePair, kill: Awaited<ReturnType<typeof killAt>>, text: string): Promise<void> {
  const { leader, follower, link } = pair;
  link.set(false);
  await kill.killed;
  await kill.close();
  await follower.follows();
  assert.equal(await follower.contents(), await leader.contents());
  assert.is(leader.now().get('/mine'), `follower ${text}`);
  assert.is(leader.now().get('/theirs'), `leader ${text}`);
}

const policies: [ConflictPolicy, 'leader' | 'follower'][] = [
  ['leader-wins', 'leader'],
  ['newest-wins', 'follower'],
  ['manual', 'leader'],
];

const test = suite('kill -9 during a merge');

for (const [conflictPolicy, winner] of policies) {
  test(`of each nats-server and shim, at each step: ${conflictPolicy}`, async () => {
    const pair = await startNodePair({ conflictPolicy });
    const { leader, follower, link } = pair;
    // Every policy has each victim, and all together have each step with each.
    const at = policies.findIndex(([policy]) => policy === conflictPolicy);
    for (const [index, victim] of victims.entries()) {
      const step = steps[(at + index) % steps.length] as (typeof steps)[number];
      const text = `${step.step}, ${victim.name}`;
      await follower.follows();
      for (const key of ['/mine', '/theirs', '/both']) await leader.put(key, `base ${text}`);
      await follower.follows();
      link.set(true);
      await follower.isAlone();
      await leader.put('/theirs', `leader ${text}`);
      await leader.put('/both', `leader ${text}`);
      await follower.put('/mine', `follower ${text}`);
      await follower.put('/both', `follower ${text}`);
      await round(pair, await killAt(pair, step, victim), text);
      assert.is(leader.now().get('/both'), `${winner} ${text}`);
      for (const { node } of [leader, follower]) {
        const kept = [...node.database.conflicts].map((conflict) =>
          conflict[winner === 'leader' ? 'follower' : 'leader'].value.toString(),
        );
        assert.ok(kept.includes(`${winner === 'leader' ? 'follower' : 'leader'} ${text}`));
      }
    }
    // As many rounds, as many overlays: one conflict each, however often the merge was done again.
    assert.is(leader.node.database.conflicts.size, victims.length);
    await pair.stop();
  });
}

test.run();
