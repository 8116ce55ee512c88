import { EtcdClient } from '../etcd-client.ts';

/** The node's etcd port, in its namespace. */
export const etcdAddress = '127.0.0.1:2379';

/** With a connection of its own: a channel that has seen a dead server waits long before it tries again. */
export async function withClient<T>(use: (client: EtcdClient) => Promise<T>): Promise<T> {
  const client = new EtcdClient(etcdAddress);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}
