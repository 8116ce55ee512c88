import type { Backend, WriteMethod } from '../backend.ts';
import { checkRange, range } from '../kv/range.ts';
import { rangeAnswer } from '../kv/range-answer.ts';
import { etcdErrors, unimplemented } from './errors.ts';
import { health } from './health.ts';
import { headerAt } from './identity.ts';
import { maintenance } from './maintenance.ts';
import { memberListResponse, rangeRequest } from './messages.ts';
import { reflection } from './reflection.ts';
import { requireLeader } from './require-leader.ts';
import type { Service, StreamCall, Unary } from './transport.ts';
import { WatchStream } from './watch-stream.ts';
import { withTimeout } from './with-timeout.ts';

/** What gRPC may add to a request, in bytes, as etcd reckons. A message of a client or of a watch is that much larger at most. */
export const grpcOverheadBytes = 512 * 1024;

export interface ApiOptions {
  backend: Backend;
  /** Largest request, in bytes (etcd's `--max-request-bytes`). */
  maxRequestBytes: number;
  /** How often idle watchers that ask for it are told how far they are, in ms. */
  watchProgressIntervalMs: number;
  /** Calls waiting for the log are answered `request timed out` after this long, in ms; what they asked may still happen. */
  requestTimeoutMs: number;
}

/** The etcd v3 services. What is not here answers UNIMPLEMENTED, see docs/etcd-api.md. */
export function etcdServices(options: ApiOptions): Service[] {
  const services = [
    kv(options),
    watch(options),
    lease(options),
    maintenance(options.backend, writing(options, 'Alarm')),
    cluster(options),
  ];
  return [...requireLeader(services, options.backend.cluster), health(options.backend), ...reflection()];
}

function kv(options: ApiOptions): Service {
  const { backend } = options;
  return {
    name: 'etcdserverpb.KV',
    unary: {
      Range: async (bytes) => {
        const request = rangeRequest.decode(bytes);
        checkRange(request);
        if (!request.serializable) await backend.linearizable();
        const { store } = backend.database;
        const result = range(store, request, store.visible);
        const header = { identity: backend.identity, revision: result.revision };
        return rangeAnswer(header, result, request.keysOnly);
      },
      Put: writing(options, 'Put'),
      DeleteRange: writing(options, 'DeleteRange'),
      Txn: writing(options, 'Txn'),
      Compact: writing(options, 'Compact'),
    },
    streaming: {},
  };
}

/** A call that goes to where writes go, within the limits of size and time. */
function writing({ backend, maxRequestBytes, requestTimeoutMs }: ApiOptions, method: WriteMethod) {
  return (request: Buffer): Promise<Uint8Array> => {
    if (request.length > maxRequestBytes) throw etcdErrors.requestTooLarge();
    return withTimeout(backend.write(method, request), requestTimeoutMs);
  };
}

function watch({ backend, watchProgressIntervalMs, maxRequestBytes }: ApiOptions): Service {
  const streams = new Set<WatchStream>();
  const fragmentBytesMax = maxRequestBytes + grpcOverheadBytes;
  setInterval(() => {
    for (const stream of streams) stream.progressInterval();
  }, watchProgressIntervalMs).unref();
  return {
    name: 'etcdserverpb.Watch',
    unary: {},
    streaming: {
      Watch: (call) => {
        const stream = new WatchStream(backend.watches, backend.identity, call, fragmentBytesMax);
        streams.add(stream);
        call.onMessage((request) => stream.request(request));
        call.onDrain(() => stream.drained());
        call.onHalfClose(() => call.end());
        call.onClose(() => {
          stream.close();
          streams.delete(stream);
        });
      },
    },
  };
}

function lease(options: ApiOptions): Service {
  return {
    name: 'etcdserverpb.Lease',
    unary: {
      LeaseGrant: writing(options, 'LeaseGrant'),
      LeaseRevoke: writing(options, 'LeaseRevoke'),
      LeaseTimeToLive: writing(options, 'LeaseTimeToLive'),
      LeaseLeases: writing(options, 'LeaseLeases'),
    },
    streaming: { LeaseKeepAlive: (call) => keepAlive(options, call) },
  };
}

/** Keep-alives that may wait on one stream: more than any client has leases. */
const keepAlivesMax = 50_000;

/** Keep-alives are answered in the order they came. */
function keepAlive(options: ApiOptions, call: StreamCall): void {
  const renew = writing(options, 'LeaseKeepAlive');
  let queue = Promise.resolve();
  let waiting = 0;
  call.onMessage((request) => {
    if (waiting >= keepAlivesMax) throw etcdErrors.tooManyRequests();
    waiting++;
    queue = queue
      .then(() => renew(request))
      .then((response) => call.write(response))
      .catch((error: Error) => call.end(error))
      .finally(() => {
        waiting--;
      });
  });
  call.onHalfClose(() => {
    queue = queue.then(() => call.end());
  });
}

function cluster({ backend }: ApiOptions): Service {
  return {
    name: 'etcdserverpb.Cluster',
    unary: {
      MemberList: async () => {
        const members = backend.cluster.members().map(({ id, name, clientUrl }) => ({
          id,
          name,
          peerUrls: [],
          clientUrls: [clientUrl],
          isLearner: false,
        }));
        const header = headerAt(backend.identity, backend.database.store.visible);
        return memberListResponse.encode({ header, members });
      },
      MemberAdd: refused('MemberAdd'),
      MemberRemove: refused('MemberRemove'),
      MemberUpdate: refused('MemberUpdate'),
      MemberPromote: refused('MemberPromote'),
    },
    streaming: {},
  };
}

function refused(method: string): Unary {
  return () => Promise.reject(unimplemented(method));
}
