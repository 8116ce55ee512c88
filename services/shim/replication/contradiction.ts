import type { Identity } from './protocol.ts';

/**
 * What the peer's configuration says otherwise than ours: one sentence for both nodes, or null when they agree. Two nodes
 * which do not agree on who they are must not share a log.
 */
export function contradiction(own: Identity, peer: Identity): string | null {
  if (own.cluster !== peer.cluster) {
    return `${own.node} is configured for cluster "${own.cluster}", ${peer.node} for cluster "${peer.cluster}"`;
  }
  if (own.peer !== peer.node || own.node !== peer.peer) {
    return `${own.node} is configured with ${own.peer} as its peer, but ${peer.node} answers, whose peer is ${peer.peer}`;
  }
  if (own.role === peer.role) return `${own.node} and ${peer.node} are both configured as ${own.role}`;
  return null;
}
