import { createHash } from 'node:crypto';
import type { CoreV1Event } from '@kubernetes/client-node';
import type { StateMessage } from '../../../shared/messages.ts';
import { isRestricted, type NodeState } from '../../../shared/node.ts';
import type { Reason } from '../../../shared/reasons.ts';

/** `kubectl get nodes -L twonode.dev/state` shows it. */
export const stateLabel = 'twonode.dev/state';
/** `kubectl describe node` shows it. True is the bad case, as with all conditions but Ready. */
export const conditionType = 'TwoNodeRestricted';

/** What is to be written to one Node object. */
export interface NodeReport {
  node: string;
  /** Strategic merge patch of the Node. */
  metadata: object;
  /** Strategic merge patch of its status: conditions are merged by their type. */
  status: object;
}

/**
 * What a node that is in this state says in Node objects: of itself, and of a peer that it does not hear, because that cannot
 * say it. The same state gives the same patches, so that to write them again changes nothing.
 */
export function nodeReports(said: StateMessage): NodeReport[] {
  const own = report(said.node, said.state, {
    status: isRestricted(said.state) ? 'True' : 'False',
    reason: said.reason === null ? 'NotRestricted' : camelCase(said.reason),
    message: said.text === '' ? said.state : `${said.state}: ${said.text}`,
    lastTransitionTime: said.since,
  });
  if (said.peer.heard || said.state === 'Impaired') return [own];
  const peer = report(said.peer.node, 'Impaired', {
    status: 'Unknown',
    reason: 'NotHeard',
    message: `${said.node} does not hear it`,
    lastTransitionTime: said.since,
  });
  return [own, peer];
}

function report(node: string, state: NodeState, condition: object): NodeReport {
  return {
    node,
    metadata: { metadata: { labels: { [stateLabel]: state } } },
    status: { status: { conditions: [{ type: conditionType, ...condition }] } },
  };
}

/** A change of state as the Event of its Node. The same change always has the same name, so that it is written once. */
export function transitionEvent(from: NodeState, { node, state, since, text }: StateMessage): CoreV1Event {
  const name = createHash('sha256').update(`${node} ${from} ${state} ${since}`).digest('hex').slice(0, 16);
  const time = new Date(since);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${node}.${name}`, namespace: 'default' },
    // As the kubelet writes them: `kubectl describe node` looks for the name as uid.
    involvedObject: { apiVersion: 'v1', kind: 'Node', name: node, uid: node },
    type: isRestricted(state) ? 'Warning' : 'Normal',
    reason: `TwoNode${state}`,
    message: text === '' ? `${from} -> ${state}` : `${from} -> ${state}: ${text}`,
    source: { component: 'twonode', host: node },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}

/** `peer-down` as Kubernetes writes reasons: `PeerDown`. */
function camelCase(reason: Reason): string {
  return reason.replace(/(^|-)(\w)/g, (_match, _dash, letter: string) => letter.toUpperCase());
}
