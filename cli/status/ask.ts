import { connect, type NatsConnection, RequestStrategy } from 'nats';
import { decodeMessage, type StateMessage, stateSchema } from '../../shared/messages.ts';
import { subjects } from '../../shared/subjects.ts';

const connectLimitMs = 1_500;
const answerLimitMs = 1_500;
/** After this long without a further answer there are no more. */
const silenceMs = 300;
const shimService = 'twonode-shim';

/**
 * Asks the shims for their state, through each of the given nats-servers that answers; no password is needed. A shim that can
 * be reached through two servers is listed once.
 * @param urls such as `nats://127.0.0.1:4222`
 */
export async function askStates(urls: string[]): Promise<StateMessage[]> {
  const answers = await Promise.all(urls.map(askThrough));
  const byNode = new Map<string, StateMessage>();
  for (const state of answers.flat()) {
    const known = byNode.get(state.node);
    if (!known || known.seq < state.seq) byNode.set(state.node, state);
  }
  return [...byNode.values()].sort((left, right) => left.node.localeCompare(right.node));
}

async function askThrough(url: string): Promise<StateMessage[]> {
  let connection: NatsConnection | undefined;
  try {
    connection = await connect({
      servers: url,
      timeout: connectLimitMs,
      reconnect: false,
      maxReconnectAttempts: 0,
    });
    const nodes = await nodesWithShim(connection);
    const states = await Promise.all(nodes.map((node) => askState(connection, node)));
    return states.filter((state) => state !== null);
  } catch {
    // A server that is down is an answer too: its node is missing in the list.
    return [];
  } finally {
    await connection?.close();
  }
}

/** The shims announce their node in NATS micro. */
async function nodesWithShim(connection: NatsConnection): Promise<string[]> {
  const client = connection.services.client({
    strategy: RequestStrategy.JitterTimer,
    maxWait: answerLimitMs,
    jitter: silenceMs,
  });
  const nodes = new Set<string>();
  for await (const { metadata } of await client.ping(shimService)) {
    if (metadata?.node) nodes.add(metadata.node);
  }
  return [...nodes];
}

async function askState(connection: NatsConnection | undefined, node: string): Promise<StateMessage | null> {
  const answer = await connection
    ?.request(subjects.status(node, 'shim'), '', { timeout: answerLimitMs })
    .catch(() => undefined);
  if (!answer) return null;
  const decoded = decodeMessage(stateSchema, answer.data);
  return decoded.ok ? decoded.value : null;
}
