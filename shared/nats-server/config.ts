import { join } from 'node:path';
import type { NodeConfiguration, TwoNodeConfiguration } from '../config/schema.ts';
import { nodePair } from '../config/schema.ts';
import { leafPermissions } from './leaf-permissions.ts';

/** NATS user of twonode's own services. */
export const servicesUser = 'twonode';
/** NATS user of the follower's leaf connection. */
export const leafUser = 'leaf';
/** NATS user of connections without credentials. */
export const observerUser = 'observer';

/** Passwords in the generated file; derived from the cluster key, or random for a single node. */
export interface NatsPasswords {
  services: string;
  /** Of the leaf link; not used for a single node. */
  leaf?: string;
}

/**
 * What an observer may do: watch signals, states and changes go by, list the services and ask their status. Values of
 * the datastore pass on none of these: the services' own answers go to inboxes below `twonode.inbox`.
 */
const observerPermissions = {
  publish: ['$SRV.>', 'twonode.status.*.*'],
  subscribe: ['twonode.health.>', 'twonode.state.>', 'twonode.change.>', '_INBOX.>'],
};

/** What differs between a node of two and a single one. */
interface Base {
  name: string;
  folder: string;
  ports: { nats: number; monitoring: number };
  servicesPassword: string;
}

function base({ name, folder, ports, servicesPassword }: Base) {
  const services = {
    user: servicesUser,
    password: servicesPassword,
    allowed_connection_types: ['STANDARD'],
  };
  const observer = {
    user: observerUser,
    password: '',
    permissions: observerPermissions,
    allowed_connection_types: ['STANDARD'],
  };
  return {
    server_name: name,
    listen: `127.0.0.1:${ports.nats}`,
    http: `127.0.0.1:${ports.monitoring}`,
    log_file: join(folder, 'nats.log'),
    logfile_size_limit: 16 * 1024 * 1024,
    logfile_max_num: 3,
    jetstream: {
      store_dir: join(folder, 'jetstream'),
      domain: name,
      // Acknowledged means on disk: one fsync for each message.
      sync_interval: 'always',
      // The log's own max_bytes is the limit: it refuses cleanly and heals, this one does neither.
      max_file_store: 2 ** 40,
      max_memory_store: 64 * 1024 * 1024,
    },
    // A record packs many changes.
    max_payload: 8 * 1024 * 1024,
    max_pending: 128 * 1024 * 1024,
    // A dead leaf link is found in less than a second; the default takes minutes.
    ping_interval: '250ms',
    ping_max: 2,
    authorization: { users: [services, observer] as object[] },
    no_auth_user: observerUser,
  };
}

/**
 * The configuration of one node's nats-server. The leader listens for the leaf link, the follower dials it.
 * @param folder where the server keeps its log and its store
 * @throws RangeError when the configuration has no such node
 */
export function natsServerConfig(
  config: TwoNodeConfiguration,
  node: string,
  folder: string,
  passwords: Required<NatsPasswords>,
): string {
  const { self, peer } = nodePair(config, node);
  const server = base({ name: node, folder, ports: self.ports, servicesPassword: passwords.services });
  if (self.role === 'follower') {
    return render({ ...server, leafnodes: dialling(peer, passwords.leaf) });
  }
  server.authorization.users.push({
    user: leafUser,
    password: passwords.leaf,
    permissions: leafPermissions(self.name, peer.name),
    allowed_connection_types: ['LEAFNODE'],
  });
  return render({ ...server, leafnodes: listening(self) });
}

/** The configuration of the nats-server below `twonode etcd`: one node, no leaf link. */
export function singleNodeConfig(
  name: string,
  folder: string,
  ports: { nats: number; monitoring: number },
  passwords: NatsPasswords,
): string {
  return render(base({ name, folder, ports, servicesPassword: passwords.services }));
}

function listening(self: NodeConfiguration) {
  return { listen: hostPort(self.bind ?? self.address, self.ports.leaf), no_advertise: true };
}

function dialling(leader: NodeConfiguration, password: string) {
  return {
    reconnect: '100ms',
    remotes: [
      {
        url: `nats-leaf://${leafUser}:${password}@${hostPort(leader.address, leader.ports.leaf)}`,
        first_info_timeout: '500ms',
        // A dial into a cut gets no answer: the next one may meet a link that is whole again. The default is 1 s.
        dial_timeout: '300ms',
      },
    ],
  };
}

/** IPv6 addresses stand in brackets. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** nats-server's configuration language is a superset of JSON. */
function render(server: object): string {
  return `${JSON.stringify(server, null, 2)}\n`;
}
