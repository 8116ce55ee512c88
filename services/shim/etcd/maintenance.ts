import type { Backend } from '../backend.ts';
import { hashKeyValues } from '../kv/hash.ts';
import { etcdErrors, unimplemented } from './errors.ts';
import { headerAt } from './identity.ts';
import {
  alarmAction,
  alarmRequest,
  alarmResponse,
  alarmType,
  hashKvRequest,
  hashKvResponse,
  hashResponse,
  moveLeaderRequest,
  statusResponse,
} from './messages.ts';
import { snapshotStream } from './snapshot-stream.ts';
import type { Service, Unary } from './transport.ts';
import { etcdVersion } from './version.ts';

/**
 * etcdserverpb.Maintenance.
 * @param writeAlarm raises and disarms alarms, where writes go
 */
export function maintenance(backend: Backend, writeAlarm: Unary): Service {
  const header = () => headerAt(backend.identity, backend.database.store.visible);
  return {
    name: 'etcdserverpb.Maintenance',
    unary: {
      Status: () => status(backend),
      Alarm: async (request, metadata) => {
        const { action, alarm } = alarmRequest.decode(request);
        if (action !== alarmAction.get) return writeAlarm(request, metadata);
        return alarmResponse.encode({
          header: header(),
          alarms: alarm === alarmType.corrupt ? [] : raised(backend),
        });
      },
      // Compaction frees space by itself. etcd answers with an empty message, too.
      Defragment: async () => Buffer.alloc(0),
      Hash: async () =>
        hashResponse.encode({ header: header(), hash: hashKeyValues(backend.database.store, 0).hash }),
      HashKV: async (request) => {
        const { revision } = hashKvRequest.decode(request);
        const { hash, compactRevision, ...at } = hashKeyValues(backend.database.store, revision);
        return hashKvResponse.encode({ header: header(), hash, compactRevision, hashRevision: at.revision });
      },
      MoveLeader: async (request) => moveLeader(backend, moveLeaderRequest.decode(request).targetId),
      Downgrade: () => Promise.reject(unimplemented('Downgrade')),
    },
    streaming: { Snapshot: snapshotStream(backend) },
  };
}

function raised({ database }: Backend) {
  return database.alarms.raised().map(({ memberId }) => ({ memberId, alarm: alarmType.noSpace }));
}

async function status(backend: Backend): Promise<Uint8Array> {
  const { cluster, database, identity } = backend;
  const sequence = cluster.logSequence();
  const leader = cluster.leaderId();
  return statusResponse.encode({
    header: headerAt(identity, database.store.visible),
    version: etcdVersion,
    dbSize: await cluster.logBytes(),
    dbSizeInUse: database.store.size.bytes,
    dbSizeQuota: cluster.quotaBytes,
    leader,
    raftIndex: sequence,
    raftAppliedIndex: sequence,
    raftTerm: cluster.term(),
    errors: [
      ...(leader === 0n ? [etcdErrors.noLeader().message] : []),
      // As etcd prints an AlarmMember.
      ...database.alarms.raised().map(({ memberId, type }) => `memberID:${memberId} alarm:${type} `),
    ],
    storageVersion: '3.6.0',
  });
}

/** The leader is named in the configuration: it can be moved nowhere but to itself. */
async function moveLeader({ cluster }: Backend, target: bigint): Promise<Uint8Array> {
  if (cluster.leaderId() !== cluster.memberId) throw etcdErrors.notLeader();
  if (target === cluster.memberId) return Buffer.alloc(0);
  if (!cluster.members().some(({ id }) => id === target)) throw etcdErrors.badLeaderTransferee();
  throw unimplemented('MoveLeader to the other node');
}
