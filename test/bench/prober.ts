import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { nodeNames } from '../faults/network.ts';
import { ProberSite } from '../faults/prober-site.ts';

/**
 * CPU time of a prober with every probe on, in a site of network namespaces: user and system time of the process, of its threads, and of
 * the programs that it runs. Beside it runs a bare Node that sends itself as many datagrams and does nothing else: what a wake-up costs on this
 * machine, and at this load. `npm run bench:prober -- --seconds 60`. Needs root.
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    // V8 compiles what runs often for a minute or two.
    warm: { type: 'string', default: '120' },
    interfaces: { type: 'string', default: '0' },
  },
});

/** CPU time in nanoseconds of each thread of a process (schedstat, first field). */
function threadTimes(pid: number): Map<string, number> {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return new Map(
    tasks.map((task) => [
      task,
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
    ]),
  );
}

/** The programs that a process runs at this moment. */
function childrenOf(pid: number): { pid: number; name: string }[] {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return pids.map((child) => ({
    pid: Number(child),
    name: readFileSync(`/proc/${child}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
  }));
}

interface Usage {
  /** Seconds. */
  user: number;
  system: number;
  /** Of the programs that it ran and that have ended. */
  ended: number;
}

/** proc(5): fields 14 to 17 of stat, in hundredths of a second. */
function usageOf(pid: number): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').map(Number) ?? [];
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return { user: user / 100, system: system / 100, ended: (endedUser + endedSystem) / 100 };
}

/** What no beat of a Node can cost less than: a timer, a datagram out, a datagram in, at each interval of the beats. */
const beatMs = 100;

function startBare(): ChildProcess {
  const script = `
    const socket = require('node:dgram').createSocket({
      type: 'udp4',
      lookup: (address, options, found) => found(null, address, 4),
    });
    const sent = () => {};
    socket.on('message', sent);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      setInterval(() => socket.send(Buffer.alloc(400), port, '127.0.0.1', sent), ${beatMs});
    });`;
  return spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
}

/** All that is measured of a node, as it is now. */
interface Reading {
  usage: Usage;
  threads: Map<string, number>;
  children: { name: string; pid: number; usage: Usage }[];
}

function read(pid: number, children = childrenOf(pid)): Reading {
  return {
    usage: usageOf(pid),
    threads: threadTimes(pid),
    children: children.map((child) => ({ ...child, usage: usageOf(child.pid) })),
  };
}

const seconds = Number(values.seconds);

/** CPU seconds as a share of one core. */
function share(spent: number): string {
  return `${((spent / seconds) * 100).toFixed(2)} %`.padStart(7);
}

function print(pid: number, before: Reading, after: Reading): void {
  const user = after.usage.user - before.usage.user;
  const system = after.usage.system - before.usage.system;
  console.log(`${share(user + system)}  the prober (user ${share(user)}, system ${share(system)})`);
  for (const [task, nanoseconds] of after.threads) {
    const spent = (nanoseconds - (before.threads.get(task) ?? 0)) / 1e9;
    if (spent / seconds < 0.0005) continue;
    console.log(`${share(spent)}    thread ${task}${task === String(pid) ? ' (main)' : ''}`);
  }
  const ended = after.usage.ended - before.usage.ended;
  let programs = ended;
  after.children.forEach(({ name, usage: now }, index) => {
    const then = before.children[index]?.usage ?? { user: 0, system: 0 };
    const spent = now.user + now.system - then.user - then.system;
    programs += spent;
    console.log(`${share(spent)}  ${name}`);
  });
  console.log(`${share(ended)}  programs that ended`);
  console.log(`${share(user + system + programs)}  of one core in all, over ${seconds} s`);
}

async function measure(site: ProberSite, barePid: number): Promise<void> {
  const bareBefore = usageOf(barePid);
  const nodes = nodeNames.map((node) => {
    const pid = site.pid(node, 'prober');
    return { node, pid, before: read(pid) };
  });
  await delay(seconds * 1000);
  for (const { node, pid, before } of nodes) {
    console.log(`${node}:`);
    print(pid, before, read(pid, before.children));
  }
  const bareAfter = usageOf(barePid);
  const bare = bareAfter.user + bareAfter.system - bareBefore.user - bareBefore.system;
  console.log(`${share(bare)}  a bare Node with ${1_000 / beatMs} datagrams a second, for comparison`);
}

const site = await ProberSite.build();
const bare = startBare();
try {
  for (let pair = 0; pair < Number(values.interfaces) / 2; pair++) {
    site.network.ip('node-a', 'link', 'add', `x${pair}`, 'type', 'veth', 'peer', 'name', `y${pair}`);
  }
  await site.start();
  await delay(Number(values.warm) * 1000);
  console.log(
    `${values.interfaces} interfaces beside it, load ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`,
  );
  await measure(site, bare.pid ?? 0);
} finally {
  bare.kill();
  await site.close();
}
