import type { TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import { idOf } from '../etcd/identity.ts';

/** Both nodes, as MemberList tells them. */
export function clusterMembers(config: TwoNodeConfiguration) {
  return config.nodes.map((node) => ({
    id: idOf(`${config.cluster}/${node.name}`),
    name: node.name,
    clientUrl: `http://127.0.0.1:${node.ports.etcd}`,
  }));
}
