import { isIPv6 } from 'node:net';
import type { TestPoint } from '../../shared/config/probes.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { nodePaths } from '../../shared/paths.ts';
import { isLoopback } from './loopback.ts';
import type { Probe } from './probe.ts';
import { probeApi } from './probes/api.ts';
import { judgeCni, readCni } from './probes/cni.ts';
import { judgeCpu, readCpu } from './probes/cpu.ts';
import { probeDatastore } from './probes/datastore.ts';
import { probeIcmp } from './probes/icmp.ts';
import { judgeMemory, readMemory } from './probes/memory.ts';
import { probeNic } from './probes/nic.ts';
import { type PeerSaysApi, probePeerApi } from './probes/peer-api.ts';
import { judgeStorage, readStorage } from './probes/storage.ts';
import { probeTestPoint } from './probes/test-point.ts';
import { probeVnic } from './probes/vnic.ts';

type Settings = Pick<Probe, 'interval' | 'timeout' | 'failureThreshold' | 'successThreshold'> & {
  severity: Probe['severity'] | 'off';
};

/** A check that may be off. */
type Entry = Omit<Probe, keyof Settings> & { settings: Settings };

/**
 * The checks that a node runs, from the configuration: without those that are off or have nothing to look at.
 * @throws RangeError when the configuration has no such node
 */
export function probesOf(config: TwoNodeConfiguration, node: string, peerSaysApi: PeerSaysApi): Probe[] {
  return [
    ...interfaceChecks(config, node),
    ...serviceChecks(config, node),
    ...machineChecks(config),
    ...eastWestChecks(config, node, peerSaysApi),
    ...config.probes.northSouth.map(northSouthCheck),
  ].flatMap(toProbe);
}

function toProbe({ settings, ...entry }: Entry): Probe[] {
  const { severity } = settings;
  if (severity === 'off') return [];
  const { interval, timeout, failureThreshold, successThreshold } = settings;
  return [{ ...entry, severity, interval, timeout, failureThreshold, successThreshold }];
}

function interfaceChecks({ probes }: TwoNodeConfiguration, node: string): Entry[] {
  const { nic, vnic, cni } = probes;
  const configDir = cni.configDir.replaceAll('{node}', node);
  const entries: Entry[] = [
    {
      area: 'local',
      check: 'nic',
      settings: nic,
      how: `/sys/class/net/${nic.interface}`,
      advice: `check cable and switch port; ip link set ${nic.interface} up`,
      run: () => probeNic(nic.interface, nic.carrierLoss),
    },
  ];
  if (vnic.interfaces.length > 0) {
    entries.push({
      area: 'local',
      check: 'vnic',
      settings: vnic,
      how: `/sys/class/net: ${vnic.interfaces.join(', ')}`,
      advice: 'bring the named interface up, or make it anew: ip link',
      run: () => probeVnic(vnic.interfaces),
    });
  }
  if (configDir !== '' || cni.interfaces.length > 0) {
    entries.push({
      area: 'local',
      check: 'cni',
      settings: cni,
      how: [configDir, ...cni.interfaces].filter(Boolean).join(', '),
      advice: 'see the log of the CNI (k3s: journalctl -u k3s); its agent writes the configuration',
      run: async () => judgeCni(await readCni(configDir, cni.interfaces)),
    });
  }
  return entries;
}

function serviceChecks(config: TwoNodeConfiguration, node: string): Entry[] {
  const { api, datastore, storage } = config.probes;
  const { ports } = nodePair(config, node).self;
  const url = api.url ?? `https://127.0.0.1:${ports.api}/readyz`;
  const folder = nodePaths(config, node).nats;
  return [
    {
      area: 'local',
      check: 'api',
      settings: api,
      how: `GET ${url}`,
      advice: `see the log of kube-apiserver; curl -k "${url}?verbose"`,
      run: () => probeApi(url, api.timeout),
    },
    {
      area: 'local',
      check: 'datastore',
      settings: datastore,
      how: `GET http://127.0.0.1:${ports.monitoring}/healthz`,
      advice: 'see the log of nats-server; after a full disk it needs free space and a restart',
      run: () => probeDatastore(ports.monitoring, datastore.timeout),
    },
    {
      area: 'local',
      check: 'storage',
      settings: storage,
      how: `free space of and a write to ${folder}`,
      advice: 'free space on this file system; if it is read-only, look for disk errors: dmesg',
      run: async () => judgeStorage(await readStorage(folder, storage.timeout), storage),
    },
  ];
}

function machineChecks({ probes }: TwoNodeConfiguration): Entry[] {
  const { cpu, memory } = probes;
  return [
    {
      area: 'local',
      check: 'cpu',
      settings: cpu,
      how: 'load average of one minute, per core',
      advice: 'find what runs: top',
      run: async () => judgeCpu(readCpu(), cpu.warningLoadPerCore, severityOf(cpu)),
    },
    {
      area: 'local',
      check: 'memory',
      settings: memory,
      how: '/proc/meminfo, /proc/pressure/memory',
      advice: 'find what takes it: ps aux --sort=-rss | head',
      run: async () => judgeMemory(readMemory(), memory, severityOf(memory)),
    },
  ];
}

function severityOf({ severity }: Settings): Probe['severity'] {
  return severity === 'fatal' ? 'fatal' : 'warning';
}

function eastWestChecks(config: TwoNodeConfiguration, node: string, peerSaysApi: PeerSaysApi): Entry[] {
  const { peerApi, peerIcmp } = config.probes;
  const { peer } = nodePair(config, node);
  const host = isIPv6(peer.address) ? `[${peer.address}]` : peer.address;
  const url = `https://${host}:${peer.ports.api}/readyz`;
  const entries: Entry[] = [
    {
      area: 'eastwest',
      check: 'api',
      settings: peerApi,
      how: `GET ${url}`,
      advice: `look on ${peer.name}: twonode probe --once`,
      run: () => probePeerApi(url, peerApi.timeout, peer.name, peerSaysApi),
    },
  ];
  // On loopback the link is a relay between the two nodes, and an echo would not pass through it.
  if (!isLoopback(peer.address)) {
    entries.push({
      area: 'eastwest',
      check: 'icmp',
      settings: peerIcmp,
      how: `ICMP echo to ${peer.address}`,
      advice: `check the link to ${peer.name}, then ${peer.name} itself`,
      run: () => probeIcmp(peer.address, peerIcmp.timeout, peer.name),
    });
  }
  return entries;
}

function northSouthCheck(point: TestPoint): Entry {
  const { name, address, method, port } = point;
  const host = address === 'auto' ? 'the default gateway' : address;
  return {
    area: 'northsouth',
    check: name,
    settings: point,
    how: method === 'tcp' ? `TCP connect to ${host} port ${port}` : `ICMP echo to ${host}`,
    advice: 'check the uplink, the switch and the router',
    run: () => probeTestPoint(point),
  };
}
