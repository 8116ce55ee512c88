import ping from 'ping';
import { isProgram } from '../rights.ts';
import { failed, ok, unknown, type Verdict } from '../verdict.ts';

/** What the `ping` program of the system found. */
export interface IcmpReading {
  address: string;
  /** Whether one echo came back. */
  alive: boolean;
  /** Round trip in milliseconds; null when nothing came back or it was not printed. */
  rttMs: number | null;
  /** All that the program printed; empty when it could not be run. */
  output: string;
  /** False when there is no such program. */
  installed: boolean;
}

/**
 * Sends ICMP echoes, one each 200 ms, until the first comes back or the time is over: at 30 % loss each way one echo alone
 * would fail every other time. The program sends them, because Node has no ICMP sockets.
 * @param timeoutMs rounded up to whole seconds, as the program wants it
 */
export async function readIcmp(address: string, timeoutMs: number): Promise<IcmpReading> {
  const seconds = Math.ceil(timeoutMs / 1000);
  try {
    const { alive, time, output } = await ping.promise.probe(address, {
      // The program finds the family by the address; the package would look for a `ping6` that few systems have.
      v6: false,
      numeric: true,
      min_reply: 1,
      timeout: seconds,
      deadline: seconds,
      extra: ['-i', '0.2'],
    });
    const rttMs = typeof time === 'number' ? time : null;
    return { address, alive: alive === true, rttMs, output: output ?? '', installed: true };
  } catch {
    // It is there and could not be started: its capability lies outside of what this process may pass on.
    const installed = await isProgram('ping');
    return {
      address,
      alive: false,
      rttMs: null,
      output: installed ? 'operation not permitted' : '',
      installed,
    };
  }
}

const rights = 'CAP_NET_RAW, or a group within net.ipv4.ping_group_range, for the program "ping"';
/** What `ping` prints when the kernel lets it open neither a raw socket nor a datagram socket. */
const forbidden = /operation not permitted|permission denied|cap_net_raw|lacking privilege/i;

/** What this process lacks for ICMP echoes; null when nothing. It asks the own loopback. */
export async function lacksForEcho(): Promise<string | null> {
  const reading = await readIcmp('127.0.0.1', 1_000);
  if (!reading.installed) return 'the program "ping" (package iputils-ping)';
  return forbidden.test(reading.output) ? rights : null;
}

/** Judges an echo. @param name what is asked, as the reason names it: `gateway 10.0.0.254` */
export function judgeIcmp(reading: IcmpReading, name: string): Verdict {
  const value = { address: reading.address, method: 'icmp', rtt_ms: reading.rttMs };
  if (reading.alive) return ok(value);
  if (!reading.installed) {
    return unknown(`${name}: the program "ping" is not installed (package iputils-ping)`, value);
  }
  if (forbidden.test(reading.output)) {
    return unknown(`${name}: not asked, this lacks ${rights}`, value);
  }
  return failed(`${name}: no ICMP echo reply`, value);
}
