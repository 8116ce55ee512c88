import { setTimeout as delay } from 'node:timers/promises';
import { checkHistory, type Report } from '../history/check.ts';
import type { History, LeaseRecord } from '../history/history.ts';
import { Load } from '../history/load.ts';
import { pick } from '../history/random.ts';
import { RecordingClient } from '../history/recording-client.ts';
import { RecordingWatch } from '../history/recording-watch.ts';
import type { Kill, Target } from './target.ts';

const endpoint = 'etcd';
const prefix = 'load/';
const clients = 10;
/** Load before the kill and after it, in milliseconds. */
const loadMinMs = 150;
const loadMaxMs = 900;
const afterMs = 250;
/** Longest time that nats-server stands still before a kill, in milliseconds. */
const stallMaxMs = 150;
/** How long watches may take to hear of everything, in milliseconds. */
const watchLimitMs = 20_000;

export interface Round {
  kills: Kill[];
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
  const watch = new RecordingWatch(address, endpoint, history, 0);
  const client = new RecordingClient(address, endpoint, history);
  const base = await newestRevision(address, history);
  const load = new Load({ address, endpoint, history, clients, random });
  const within = { key: `${prefix}03`, end: `${prefix}07` };
  await delay(random() * loadMinMs);
  // From a revision that is known: it is told what it has missed, and then goes on.
  const late = new RecordingWatch(address, endpoint, history, base + 1, within);
  const compaction = delay(random() * loadMaxMs).then(() => client.compact(base));
  await delay(loadMinMs + random() * (loadMaxMs - loadMinMs));
  const kills = [anyKill(random)];
  if (random() < 0.25) kills.push(anyKill(random));
  for (const kill of kills) {
    await target.kill(kill);
    await delay(random() * afterMs);
  }
  await delay(afterMs);
  await load.stop();
  await compaction;
  const last = await newestRevision(address, history);
  await watch.until(last, watchLimitMs);
  await late.until(last, watchLimitMs);
  await Promise.all([watch.stop(), late.stop()]);
  await replay(address, history, base, last);
  client.close();
  return { kills, history, report: checkHistory(history) };
}

function anyKill(random: () => number): Kill {
  const victim = pick<Kill['victim']>(random, ['shim', 'nats-server', 'both']);
  return { victim, stallMs: random() < 0.5 ? random() * stallMaxMs : 0 };
}

/** Whoever watches from the beginning now is told the same as they who watched it happen. */
async function replay(address: string, history: History, base: number, last: number): Promise<void> {
  const again = new RecordingWatch(address, endpoint, history, base + 1);
  await again.until(last, watchLimitMs);
  await again.stop();
}

/** The revision of a read of every key, on a connection of its own: one that saw the kill would wait before it tries again. */
async function newestRevision(address: string, history: History): Promise<number> {
  const client = new RecordingClient(address, endpoint, history);
  const answer = await client.list();
  client.close();
  if (!answer) throw new Error('the target does not answer');
  return answer.revision;
}
