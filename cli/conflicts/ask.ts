import { connect, ErrorCode, type NatsError } from 'nats';
import { loadConfiguration } from '../../shared/config/load.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { type ConflictsRequest, type ConflictView, conflictsAnswerSchema } from '../../shared/conflicts.ts';
import { UserError } from '../../shared/lifecycle.ts';
import { decodeMessage } from '../../shared/messages.ts';
import { servicesUser } from '../../shared/nats-server/config.ts';
import { nodePaths } from '../../shared/paths.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { subjects } from '../../shared/subjects.ts';
import { configurationToRead, type StatusFlags, serversToAsk } from '../status/servers.ts';

const connectLimitMs = 1_500;
/** A write may wait for the state machine, the log and the peer. In milliseconds. */
const answerLimitMs = 15_000;

/**
 * Asks a shim about conflicts: that of `--node`, else the first that answers, the leader's first. It takes the services'
 * password, so it must run where the cluster key can be read.
 * @throws ConfigurationError, UserError with the shim's own sentence where it refuses
 */
export async function askConflicts(flags: StatusFlags, request: ConflictsRequest): Promise<ConflictView[]> {
  const config = loadConfiguration(configurationToRead(flags));
  const names = nodesToAsk(config, flags.node);
  const password = servicesPassword(config);
  const servers = serversToAsk(flags);
  for (const server of servers) {
    for (const name of names) {
      const answer = await askThrough(server, password, name, request);
      if (!answer) continue;
      const decoded = decodeMessage(conflictsAnswerSchema, answer);
      if (!decoded.ok) throw new UserError(`the shim of ${name} answers nonsense: ${decoded.error}`);
      if (!decoded.value.ok) throw new UserError(decoded.value.text.replace(/^twonode: /, ''));
      return decoded.value.conflicts;
    }
  }
  throw new UserError(`no shim of ${names.join(' or ')} answers through ${servers.join(', ')}`);
}

function nodesToAsk(config: TwoNodeConfiguration, node: string | undefined): string[] {
  if (node === undefined) {
    const leaderFirst = [...config.nodes].sort((one) => (one.role === 'leader' ? -1 : 1));
    return leaderFirst.map(({ name }) => name);
  }
  try {
    return [nodePair(config, node).self.name];
  } catch (error) {
    throw new UserError((error as Error).message);
  }
}

/** Both nodes have the same key: on this machine there is that of one node, or of both. */
function servicesPassword(config: TwoNodeConfiguration): string {
  let failure: unknown;
  for (const { name } of config.nodes) {
    try {
      return deriveSecret(readClusterKey(nodePaths(config, name).clusterKey), 'services');
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Null when nobody answers there. */
async function askThrough(
  url: string,
  pass: string,
  node: string,
  request: ConflictsRequest,
): Promise<Uint8Array | null> {
  const connection = await connect({
    servers: url,
    user: servicesUser,
    pass,
    // Not below _INBOX: observers may listen there.
    inboxPrefix: 'twonode.inbox',
    timeout: connectLimitMs,
    reconnect: false,
    maxReconnectAttempts: 0,
  }).catch(() => null);
  if (!connection) return null;
  try {
    const subject = subjects.rpc(node, 'conflicts');
    return (await connection.request(subject, JSON.stringify(request), { timeout: answerLimitMs })).data;
  } catch (error) {
    // Nobody listens there, so nothing was done.
    if ((error as NatsError).code === ErrorCode.NoResponders) return null;
    throw new UserError(`${node} did not answer in time: "twonode conflicts list" shows whether it was done`);
  } finally {
    await connection.close();
  }
}
