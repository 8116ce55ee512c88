import type { NatsConnection } from 'nats';
import { parseKey } from '../../shared/mutation/registry-key.ts';
import { subjects } from '../../shared/subjects.ts';
import type { Store } from './store/store.ts';
import type { Version } from './store/version.ts';

/**
 * Publishes each change as it becomes visible on the node that wrote it, without its value: people watch with
 * `nats sub 'twonode.change.node-a.>'` who changes what.
 */
export function publishChanges(
  connection: NatsConnection,
  node: string,
  store: Store,
  after: number,
  upTo: number,
): void {
  if (connection.isClosed()) return;
  const time = new Date().toISOString();
  for (const version of store.changes(after, upTo)) {
    const { resource, apiGroup, namespace, name } = parseKey(version.entry.key);
    const change = {
      v: 1,
      node,
      operation: operationOf(version),
      resource: apiGroup ? `${resource}.${apiGroup}` : resource,
      namespace,
      name,
      revision: version.modRevision,
      time,
      bytes: version.length,
    };
    const place = [namespace, name].filter((part) => part !== '');
    connection.publish(subjects.change(node, resource, ...place), JSON.stringify(change));
  }
}

function operationOf(version: Version): 'create' | 'update' | 'delete' {
  if (version.deleted) return 'delete';
  return version.version === 1 ? 'create' : 'update';
}
