import { setTimeout as delay } from 'node:timers/promises';
import { checkHistory, type Report } from '../history/check.ts';
import type { History, LeaseRecord } from '../history/history.ts';
import { Load } from '../history/load.ts';
import { pick } from '../history/random.ts';
import { RecordingClient } from '../history/recording-client.ts';
import { RecordingWatch } from '../history/recording-watch.ts';
import type { Target, Victim } from './target.ts';

const prefix = 'load/';
const clients = 10;
/** Load before the kill and after it, in milliseconds. */
const loadMinMs = 150;
const loadMaxMs = 900;
const afterMs = 250;
/** How long watches may take to hear of everything, in milliseconds. */
const watchLimitMs = 20_000;

export interface Round {
  victims: Victim[];
  history: History;
  report: Report;
}

/**
 * One round: clients load the target, it is killed at some instant (one time in four once more while it starts, or shortly
 * after), goes on, and everything that the clients were told is checked.
 * @param leases those of the rounds before: they may end in this one
 */
export async function runRound(target: Target, random: () => number, leases: LeaseRecord[]): Promise<Round> {
  const history: History = { prefix, operations: [], watches: [], leases: [...leases] };
  const { address } = target;
  const endpoint = 'etcd';
  const watch = new RecordingWatch(address, endpoint, history, 0);
  const client = new RecordingClient(address, endpoint, history);
  const base = (await listing(client)).revision;
  const load = new Load({ address, endpoint, history, clients, random });
  const within = { key: `${prefix}03`, end: `${prefix}07` };
  await delay(random() * loadMinMs);
  // From a revision that is known: it is told what it has missed, and then goes on.
  const late = new RecordingWatch(address, endpoint, history, base + 1, within);
  const compaction = delay(random() * loadMaxMs).then(() => client.compact(base));
  await delay(loadMinMs + random() * (loadMaxMs - loadMinMs));
  const victims = [pick<Victim>(random, ['shim', 'nats-server', 'both'])];
  if (random() < 0.25) victims.push(pick<Victim>(random, ['shim', 'nats-server', 'both']));
  for (const victim of victims) {
    await target.kill(victim);
    await delay(random() * afterMs);
  }
  await delay(afterMs);
  await load.stop();
  await compaction;
  const last = (await listing(client)).revision;
  await watch.until(last, watchLimitMs);
  await late.until(last, watchLimitMs);
  await Promise.all([watch.stop(), late.stop()]);
  await replay(address, history, base, last);
  client.close();
  return { victims, history, report: checkHistory(history) };
}

/** Whoever watches from the beginning now is told the same as they who watched it happen. */
async function replay(address: string, history: History, base: number, last: number): Promise<void> {
  const again = new RecordingWatch(address, 'etcd', history, base + 1);
  await again.until(last, watchLimitMs);
  await again.stop();
}

async function listing(client: RecordingClient) {
  const answer = await client.list();
  if (!answer) throw new Error('the target does not answer');
  return answer;
}
