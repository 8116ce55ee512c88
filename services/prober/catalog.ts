import { isIPv6 } from 'node:net';
import { looksAtCni, type TestPoint } from '../../shared/config/probes.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { nodePaths } from '../../shared/paths.ts';
import { LinkMonitor } from './link-monitor.ts';
import { isLoopback } from './loopback.ts';
import type { Probe } from './probe.ts';
import { probeApi, readyzUrl } from './probes/api.ts';
import { judgeCni, readCni } from './probes/cni.ts';
import { judgeCpu, readCpu } from './probes/cpu.ts';
import { probeDatastore } from './probes/datastore.ts';
import { EchoProbe } from './probes/echo-probe.ts';
import { lacksForEcho } from './probes/icmp.ts';
import { judgeMemory, readMemory } from './probes/memory.ts';
import { probeNic } from './probes/nic.ts';
import { type PeerSaysApi, probePeerApi } from './probes/peer-api.ts';
import { judgeStorage, StorageProbe } from './probes/storage.ts';
import { probeTcp } from './probes/tcp.ts';
import { probeTestPoint } from './probes/test-point.ts';
import { probeVnic } from './probes/vnic.ts';
import { lacksPermission, lacksPrograms } from './rights.ts';

type Settings = Pick<Probe, 'interval' | 'timeout' | 'failureThreshold' | 'successThreshold'> & {
  severity: Probe['severity'] | 'off';
};

/** What {@link LinkMonitor} runs, and the packages it is from. */
const linkPrograms = { ip: 'iproute2', setpriv: 'util-linux' };

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
  const links = new LinkMonitor();
  const attach: Probe['attach'] = (poke) => links.attach(poke);
  const lacks = () => lacksPrograms(linkPrograms, 'changes of interfaces are seen at the next poll only');
  const entries: Entry[] = [
    {
      area: 'local',
      check: 'nic',
      settings: nic,
      how: `/sys/class/net/${nic.interface}`,
      advice: `check cable and switch port; ip link set ${nic.interface} up`,
      attach,
      lacks,
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
      attach,
      lacks,
      run: () => probeVnic(vnic.interfaces),
    });
  }
  if (looksAtCni(cni)) {
    entries.push({
      area: 'local',
      check: 'cni',
      settings: cni,
      how: [configDir, ...cni.interfaces, cni.healthUrl, cni.healthSocket].filter(Boolean).join(', '),
      advice: 'see the log of the CNI (k3s: journalctl -u k3s); its agent writes the configuration',
      attach,
      lacks: async () => (configDir === '' ? null : lacksPermission(configDir, 'read')),
      run: async () => judgeCni(await readCni({ ...cni, configDir })),
    });
  }
  return entries;
}

function serviceChecks(config: TwoNodeConfiguration, node: string): Entry[] {
  const { api, datastore, storage } = config.probes;
  const { ports } = nodePair(config, node).self;
  const url = api.url ?? readyzUrl('127.0.0.1', ports.api);
  const folder = nodePaths(config, node).nats;
  const store = new StorageProbe(folder, storage.timeout);
  return [
    {
      area: 'local',
      check: 'api',
      settings: api,
      how: `GET ${url}`,
      advice: `see the log of kube-apiserver; curl -k "https://127.0.0.1:${ports.api}/readyz?verbose"`,
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
      lacks: () => lacksPermission(folder, 'write'),
      run: async () => judgeStorage(await store.read(), storage),
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
  const url = readyzUrl(host, peer.ports.api);
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
    const echo = new EchoProbe(peerIcmp);
    entries.push({
      area: 'eastwest',
      check: 'icmp',
      settings: peerIcmp,
      how: `ICMP echo to ${peer.address}`,
      advice: `check the link to ${peer.name}, then ${peer.name} itself`,
      attach: (poke) => echo.attach(poke),
      lacks: lacksForEcho,
      run: () => echo.run(peer.address, peer.name),
    });
  }
  return entries;
}

function northSouthCheck(point: TestPoint): Entry {
  const { name, address, method, port } = point;
  const host = address === 'auto' ? 'the default gateway' : address;
  const entry = {
    area: 'northsouth',
    check: name,
    settings: point,
    advice: 'check the uplink, the switch and the router',
  } as const;
  if (method === 'tcp' && port !== undefined) {
    const ask = (at: string, label: string) => probeTcp(at, port, point.timeout, label);
    return { ...entry, how: `TCP connect to ${host} port ${port}`, run: () => probeTestPoint(point, ask) };
  }
  const echo = new EchoProbe(point);
  return {
    ...entry,
    how: `ICMP echo to ${host}`,
    attach: (poke) => echo.attach(poke),
    lacks: lacksForEcho,
    run: () => probeTestPoint(point, (at, label) => echo.run(at, label)),
  };
}
