import type { ServiceError } from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EtcdClient } from '../etcd-client.ts';
import { type EtcdServer, startRealEtcd, startTwonodeEtcd } from '../etcd-servers.ts';

/** Both servers of a comparison. */
export interface Context {
  etcd: EtcdServer;
  twonode: EtcdServer;
}

/** Left out of the comparison. */
const hidden = new Set(['clusterId', 'memberId', 'raftTerm', 'lease', 'id']);

/** An answer as text that can be compared and read. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !hidden.has(name))
      .map(([name, part]) => [name, plain(part)]),
  );
}

/** The outcome of a call: its answer, or its error's code and text. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return plain(await call);
  } catch (error) {
    const { code, details, message } = error as ServiceError;
    return code === undefined ? message : { code, details };
  }
}

type Steps = (client: EtcdClient, record: (call: Promise<unknown>) => Promise<void>) => Promise<void>;

/**
 * A suite whose tests make the same calls on a real etcd and on twonode: what they answer must be the same, error texts
 * included. Ids of cluster, member and lease, and the raft term, are not compared.
 */
export function besideEtcd(name: string) {
  const test = suite<Context>(name);
  test.before(async (context) => {
    context.etcd = await startRealEtcd();
    context.twonode = await startTwonodeEtcd();
  });
  test.after(async ({ etcd, twonode }) => {
    await etcd.stop();
    await twonode.stop();
  });

  /** Runs the steps on both servers and compares each answer that is recorded. */
  const same = (title: string, steps: Steps) =>
    test(title, async ({ etcd, twonode }) => {
      const outcomes: unknown[][] = [];
      for (const server of [etcd, twonode]) {
        const client = new EtcdClient(server.address);
        const answers: unknown[] = [];
        await steps(client, async (call) => {
          answers.push(await outcome(call));
        });
        client.close();
        outcomes.push(answers);
      }
      // Answer by answer, so that a failure shows the one that differs.
      for (const [i, expected] of (outcomes[0] ?? []).entries())
        assert.equal(outcomes[1]?.[i], expected, `answer ${i}`);
    });
  return { test, same };
}
