import type { CoreV1Event } from '@kubernetes/client-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MutationRule } from '../../../shared/config/schema.ts';
import type { StateMessage } from '../../../shared/messages.ts';
import { stateMessage } from '../testing/reviews.ts';
import type { KubernetesApi } from './api.ts';
import { PriorityClassValues } from './priority-class-values.ts';
import { Reconciler } from './reconciler.ts';

const listed = (...rules: MutationRule[]) => rules.map((rule) => ({ rule, builtIn: true, origin: 'test' }));
const lists = {
  approvedMutationList: listed({ resources: ['nodes', 'events'] }),
  impairedMutationList: listed({ resources: ['nodes'], names: ['node-b'] }),
};

/** A reconciler before an API that writes down what it is asked. */
function start(change: Partial<KubernetesApi> = {}) {
  const calls: string[] = [];
  const logged: string[] = [];
  let current: StateMessage | null = null;
  const api: KubernetesApi = {
    priorityClasses: async () => [{ metadata: { name: 'high' }, value: 1_000 }],
    webhookConfiguration: async () => null,
    applyWebhookConfiguration: async () => {},
    patchNode: async (name) => calls.push(`label ${name}`) > 0,
    patchNodeStatus: async (name) => calls.push(`condition ${name}`) > 0,
    createEvent: async ({ message }: CoreV1Event) => void calls.push(`event ${message?.split(':')[0]}`),
    ...change,
  };
  const classes = new PriorityClassValues();
  const reconciler = new Reconciler({
    connect: () => api,
    lists,
    classes,
    state: () => current,
    register: async () => void calls.push('register'),
    logger: {
      info: (...line: unknown[]) => void logged.push(String(line.at(-1))),
      warn: (...line: unknown[]) => void logged.push(JSON.stringify(line)),
    },
  });
  reconciler.stop();
  return {
    calls,
    logged,
    classes,
    /** Tells a state, and waits until all that follows from it is done. */
    tell: async (said: StateMessage | null) => {
      calls.length = 0;
      current = said;
      if (said) reconciler.learn(said);
      await reconciler.run();
      return calls;
    },
  };
}
const alone = stateMessage();
const follower = stateMessage({ state: 'Follower', reason: null, text: '' });
const impaired = stateMessage({ state: 'Impaired', reason: 'local-failure' });

test('reads the classes and registers while it knows no state, and then writes nothing', async () => {
  const { tell, classes } = start();
  assert.equal(await tell(null), ['register']);
  assert.is(classes.value('high'), 1_000);
});

test('writes the state of the own node and of a peer that is not heard, and an event for a change', async () => {
  const { tell } = start();
  assert.not((await tell(follower)).includes('event'));
  const calls = [...new Set(await tell(alone))].filter((call) => call !== 'register');
  assert.equal(calls, [
    'label node-b',
    'condition node-b',
    'label node-a',
    'condition node-a',
    'event Follower -> LeaderRX',
  ]);
});

test('writes only what the state allows; events wait until they are allowed', async () => {
  const { tell } = start();
  await tell(follower);
  const whileImpaired = [...(await tell(impaired))];
  assert.ok(whileImpaired.includes('condition node-b'));
  assert.not(whileImpaired.some((call) => call.startsWith('event')));
  const events = (await tell(alone)).filter((call) => call.startsWith('event'));
  assert.equal(events, ['event Follower -> Impaired', 'event Impaired -> LeaderRX']);
});

test('a Node that is not there is passed over', async () => {
  const { tell } = start({ patchNode: async () => false });
  assert.not((await tell(alone)).some((call) => call.startsWith('condition')));
});

test('a call that fails stops no other, is logged once without what the API said, and is made again', async () => {
  let down = true;
  const { tell, logged } = start({
    priorityClasses: async () => {
      if (down) throw Object.assign(new Error('Body: {"secret":"hunter2"}'), { code: 503 });
      return [];
    },
  });
  assert.ok((await tell(alone)).includes('condition node-b'));
  await tell(alone);
  assert.is(logged.length, 1);
  assert.match(logged[0] ?? '', 'HTTP 503');
  assert.not.match(logged[0] ?? '', 'hunter2');
  down = false;
  await tell(alone);
  assert.equal(logged.slice(1), ['the kube-apiserver takes what the webhook tells it']);
});

test('a token that is no header value is not logged', async () => {
  const { tell, logged } = start({
    priorityClasses: async () => {
      throw new TypeError('Bearer hunter2\nhunter3 is not a legal HTTP header value');
    },
  });
  await tell(alone);
  assert.match(logged[0] ?? '', 'the token of the kubeconfig is not a legal HTTP header value');
  assert.not.match(logged[0] ?? '', 'hunter');
});

test('at most 16 events wait', async () => {
  let refused = true;
  const told: string[] = [];
  const { tell } = start({
    createEvent: async ({ message }) => {
      if (refused) throw new Error('away');
      told.push(message ?? '');
    },
  });
  for (let index = 0; index < 20; index++) await tell(index % 2 ? alone : follower);
  refused = false;
  await tell(null);
  await tell(alone);
  assert.is(told.length, 16);
});

test.run();
