import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Decision } from './decide.ts';
import { respond } from './respond.ts';
import { stateMessage } from './testing/reviews.ts';

const nowMs = Date.parse('2026-01-02T12:03:53.500Z');
const web = {
  verb: 'create' as const,
  apiGroup: 'apps',
  resource: 'deployments',
  subresource: '',
  namespace: 'default',
  name: 'web',
};
const refused: Decision = {
  kind: 'refused',
  state: stateMessage(),
  verdict: { allowed: false, list: 'approvedMutationList' },
  asked: web,
};
const allowedBy = (state: 'LeaderRX' | 'Impaired', builtIn: boolean): Decision => ({
  kind: 'allowed',
  state: stateMessage({ state }),
  verdict: {
    allowed: true,
    rule: { rule: { resources: ['*'] }, builtIn, origin: 'impairedMutationList[0]' },
  },
});

test('a refusal, for people and for programs', () => {
  assert.equal(respond('u', refused, nowMs), {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid: 'u',
      allowed: false,
      status: {
        code: 403,
        reason: 'Forbidden',
        message:
          'LeaderRX: node-b is a restricted leader (node-a unreachable since 12:03:11Z, 42s); CREATE deployments.apps ' +
          'default/web is not on the approvedMutationList. Reads work. See: kubectl twonode status',
        details: {
          name: 'web',
          group: 'apps',
          kind: 'deployments',
          causes: [
            { reason: 'TwoNodeState', message: 'LeaderRX' },
            { reason: 'TwoNodeReason', message: 'peer-down' },
            { reason: 'TwoNodeSince', message: '2026-01-02T12:03:11.000Z' },
            { reason: 'TwoNodeList', message: 'approvedMutationList' },
          ],
        },
      },
      auditAnnotations: { state: 'LeaderRX', refused: 'approvedMutationList' },
    },
  });
});

test('the peer is named only when it is heard and takes writes', () => {
  const message = (heard: boolean, state: 'Leader' | 'Impaired') => {
    const peer = { node: 'node-a', state, reason: null, heard, age_ms: 0 };
    const answer = respond('u', { ...refused, state: stateMessage({ state: 'Impaired', peer }) }, nowMs);
    return String(answer.response.status?.message);
  };
  assert.match(message(true, 'Leader'), /Use node-a\.$/);
  assert.not.match(message(true, 'Impaired'), 'Use node-a');
  assert.not.match(message(false, 'Leader'), 'Use node-a');
});

test('the warning label of a write while Impaired', () => {
  const warnings = (decision: Decision) => respond('u', decision, nowMs).response.warnings;
  const [label = ''] = warnings(allowedBy('Impaired', false)) ?? [];
  assert.match(label, /^Impaired: node-b wrote this by impairedMutationList\[0\]/);
  assert.ok(label.length <= 256);
  assert.is(warnings(allowedBy('Impaired', true)), undefined);
  assert.is(warnings(allowedBy('LeaderRX', false)), undefined);
});

test('failing open says so', () => {
  const { response } = respond('u', { kind: 'allowed', state: null, verdict: { allowed: true } }, nowMs);
  assert.ok(response.allowed);
  assert.match(response.warnings?.[0] ?? '', 'does not know the state');
});

test.run();
