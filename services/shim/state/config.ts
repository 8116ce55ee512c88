import { looksAtCni } from '../../../shared/config/probes.ts';
import { nodePair, type TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import type { Role } from '../../../shared/node.ts';

/** What the state machine of one node must know of the configuration. */
export interface MachineConfig {
  readonly node: string;
  readonly peer: string;
  readonly role: Role;
  readonly cluster: string;
  /** Names of the north-south test points. */
  readonly testPoints: readonly string[];
  /** The local checks (`nic`, `api`, …) which must have been heard of before the first verdict. */
  readonly localChecks: readonly string[];
  readonly incidentWindowMs: number;
  readonly staleAfterMs: number;
  readonly linkStallAfterMs: number;
  readonly bootGraceMs: number;
}

/**
 * Picks the state machine's part of the configuration.
 * @throws RangeError when the configuration has no such node
 */
export function machineConfig(config: TwoNodeConfiguration, node: string): MachineConfig {
  const { self, peer } = nodePair(config, node);
  const { probes, states } = config;
  const watched = {
    nic: probes.nic,
    vnic: probes.vnic.interfaces.length > 0 ? probes.vnic : null,
    cni: looksAtCni(probes.cni) ? probes.cni : null,
    api: probes.api,
    storage: probes.storage,
    datastore: probes.datastore,
  };
  return {
    node: self.name,
    peer: peer.name,
    role: self.role,
    cluster: config.cluster,
    testPoints: probes.northSouth.filter((point) => point.severity !== 'off').map((point) => point.name),
    localChecks: Object.entries(watched)
      .filter(([, check]) => check?.severity === 'fatal')
      .map(([name]) => name),
    incidentWindowMs: states.incidentWindow,
    staleAfterMs: states.staleAfter,
    linkStallAfterMs: states.linkStallAfter,
    bootGraceMs: states.bootGrace,
  };
}
