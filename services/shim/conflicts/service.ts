import type { Msg, NatsConnection, Subscription } from 'nats';
import {
  type ConflictsAnswer,
  type ConflictView,
  conflictsRequestSchema,
  type SideView,
} from '../../../shared/conflicts.ts';
import type { Logger } from '../../../shared/logger.ts';
import { decodeMessage } from '../../../shared/messages.ts';
import { parseKey } from '../../../shared/mutation/registry-key.ts';
import { subjects } from '../../../shared/subjects.ts';
import type { Backend } from '../backend.ts';
import { EtcdError } from '../etcd/errors.ts';
import type { Conflict, ConflictSide } from '../log/record.ts';
import type { Store } from '../store/store.ts';
import { resolveRequest } from './resolve.ts';

export interface ConflictsServiceOptions {
  connection: NatsConnection;
  node: string;
  backend: Backend;
  logger: Logger;
}

/** Answers `twonode conflicts`: this node's own copy of the log says what there is, and what ends one is a write. */
export function serveConflicts(options: ConflictsServiceOptions): Subscription {
  const { connection, node, logger } = options;
  const callback = (error: Error | null, request: Msg) => {
    if (error) return;
    answerTo(options, request.data).then(
      (answer) => request.respond(JSON.stringify(answer)),
      (fault: unknown) => logger.error({ err: fault }, 'a question about conflicts failed'),
    );
  };
  return connection.subscribe(subjects.rpc(node, 'conflicts'), { callback });
}

async function answerTo({ backend }: ConflictsServiceOptions, data: Uint8Array): Promise<ConflictsAnswer> {
  const request = decodeMessage(conflictsRequestSchema, data);
  if (!request.ok) return { ok: false, text: `malformed request: ${request.error}` };
  const { conflicts, store } = backend.database;
  const asked = request.value;
  if (asked.op === 'list') {
    return { ok: true, conflicts: [...conflicts].map((conflict) => viewOf(conflict, store, false)) };
  }
  const conflict = conflicts.get(asked.id);
  if (!conflict) return { ok: false, text: `there is no open conflict ${asked.id}` };
  if (asked.op === 'show') {
    const withValues = asked.secrets || !isSecret(conflict.key);
    return { ok: true, conflicts: [viewOf(conflict, store, withValues)] };
  }
  try {
    await backend.write(
      'ResolveConflict',
      resolution(conflict, asked.op === 'apply' ? asked.revision : null),
    );
    return { ok: true, conflicts: [] };
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return { ok: false, text: error.message };
  }
}

/** @param revision at which the person saw the key; null to leave the key alone */
function resolution(conflict: Conflict, revision: number | null): Buffer {
  const { id, key, winner } = conflict;
  const { deleted, value } = conflict[winner === 'leader' ? 'follower' : 'leader'];
  const apply = revision !== null;
  return Buffer.from(
    resolveRequest.encode({ id, key, apply, ...(apply ? { deleted, value, revision } : {}) }),
  );
}

/** What people should not see in passing: Secrets, and k3s' certificates. */
function isSecret(key: string): boolean {
  const { resource } = parseKey(key);
  return resource === 'secrets' || resource === 'bootstrap';
}

function viewOf(conflict: Conflict, store: Store, withValues: boolean): ConflictView {
  const { id, key, policy, winner, routine, foundMs, leader, follower } = conflict;
  return {
    id,
    key: Buffer.from(key, 'latin1').toString(),
    policy,
    winner,
    routine,
    secret: isSecret(key),
    found: new Date(foundMs).toISOString(),
    current_revision: store.current(key)?.modRevision ?? 0,
    leader: sideOf(leader, withValues),
    follower: sideOf(follower, withValues),
  };
}

function sideOf(side: ConflictSide, withValue: boolean): SideView {
  const { node, deleted, value, omittedBytes, revision, timeMs } = side;
  const time = timeMs === 0 ? null : new Date(timeMs).toISOString();
  const shown = withValue && !deleted && omittedBytes === 0;
  const text = shown ? { value: Buffer.from(value).toString('base64') } : {};
  return { node, deleted, bytes: value.length + omittedBytes, revision, time, ...text };
}
