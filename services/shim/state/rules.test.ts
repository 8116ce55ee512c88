import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type NodeState, roles } from '../../../shared/node.ts';
import { type Facts, type Failure, judge, type PeerFacts } from './rules.ts';

/** Every combination of facts, not a sample. */
const failure: Failure = { check: 'local.api', text: 'api failed', sinceMs: 1 };
const full: Failure = { check: 'local.storage', text: '1 % free', sinceMs: 1 };
const lost: Failure = { check: 'northsouth', text: 'north-south unreachable', sinceMs: 1 };
const yesAndNo = [true, false];

function* peers(): Generator<PeerFacts> {
  for (const heard of yesAndNo)
    for (const health of ['healthy', 'impaired', 'api-failed'] as const)
      for (const saysLeader of yesAndNo)
        for (const logLink of ['works', 'settling', 'stalled'] as const)
          yield { heard, silentSinceMs: null, health, saysLeader, logLink };
}

function* everyFacts(): Generator<Facts> {
  for (const role of roles)
    for (const localFailure of [null, failure, full])
      for (const prober of ['current', 'silent', 'lost'] as const)
        for (const bootOver of yesAndNo)
          for (const log of ['verified', 'unverified', 'never-joined'] as const)
            for (const peer of peers())
              for (const reconverged of yesAndNo)
                for (const northSouthLost of [null, lost])
                  for (const furtherFailure of yesAndNo)
                    yield {
                      role,
                      localFailure,
                      prober,
                      bootOver,
                      log,
                      peer,
                      reconverged,
                      northSouthLost,
                      furtherFailure,
                    };
}

const all = [...everyFacts()];

/** How much a state allows. */
const rights: Record<NodeState, number> = { Impaired: 0, LeaderRX: 1, Follower: 2, Leader: 2 };

const stateFor = (facts: Facts): NodeState | 'unchanged' => {
  const verdict = judge(facts);
  return verdict === 'unchanged' ? verdict : verdict.state;
};

test(`each of ${all.length} combinations has a verdict, and none gives a node the other role`, () => {
  for (const facts of all) {
    const state = stateFor(facts);
    if (facts.role === 'follower') assert.is.not(state, 'Leader');
    else assert.is.not(state, 'Follower');
  }
});

test('only a state that restricts nothing has no reason', () => {
  for (const facts of all) {
    const verdict = judge(facts);
    if (verdict === 'unchanged') continue;
    const unrestricted = verdict.state === 'Leader' || verdict.state === 'Follower';
    assert.is(verdict.reason === null, unrestricted);
  }
});

const worse: { name: string; make: (facts: Facts) => Facts }[] = [
  { name: 'a local failure', make: (facts) => ({ ...facts, localFailure: failure }) },
  { name: 'a lost prober', make: (facts) => ({ ...facts, prober: 'lost' }) },
  { name: 'an unverified log', make: (facts) => ({ ...facts, log: 'unverified' }) },
  { name: 'a boot that is not over', make: (facts) => ({ ...facts, bootOver: false }) },
  { name: 'lost north-south reach', make: (facts) => ({ ...facts, northSouthLost: lost }) },
  {
    name: 'a further failure',
    make: (facts) => ({ ...facts, northSouthLost: lost, furtherFailure: true }),
  },
  { name: 'something left to merge', make: (facts) => ({ ...facts, reconverged: false }) },
];
for (const { name, make } of worse) {
  test(`${name} of the node's own never gives it more rights`, () => {
    for (const facts of all) {
      const before = stateFor(facts);
      const after = stateFor(make(facts));
      if (before === 'unchanged' || after === 'unchanged') continue;
      assert.ok(rights[after] <= rights[before], JSON.stringify(facts));
    }
  });
}

test('two that hear and know the same of their link are never both without restriction, but as Leader and Follower', () => {
  const leads = all.filter((facts) => stateFor(facts) === 'Leader');
  assert.ok(leads.length > 0 && leads.every(({ role }) => role === 'leader'));
  const follows = all.filter((facts) => stateFor(facts) === 'Follower');
  assert.ok(follows.every(({ peer, reconverged }) => peer.heard && peer.logLink === 'works' && reconverged));
});

test.run();
