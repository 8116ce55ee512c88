import { EtcdClient } from '../etcd-client.ts';
import { type NodePair, type PairOptions, startNodePair } from './node-pair.ts';
import { serveEtcd } from './serve-etcd.ts';

/** Two nodes whose etcd ports are served, with a client on each; the follower follows. */
export interface ServedPair {
  pair: NodePair;
  leader: EtcdClient;
  follower: EtcdClient;
  stop(): Promise<void>;
}

export async function startServedPair(options: PairOptions = {}): Promise<ServedPair> {
  const pair = await startNodePair(options);
  await pair.follower.follows();
  const servers = [await serveEtcd(pair.leader.node), await serveEtcd(pair.follower.node)];
  const [leader, follower] = servers.map(({ address }) => new EtcdClient(address)) as [
    EtcdClient,
    EtcdClient,
  ];
  return {
    pair,
    leader,
    follower,
    stop: async () => {
      leader.close();
      follower.close();
      for (const server of servers) await server.stop();
      await pair.stop();
    },
  };
}
