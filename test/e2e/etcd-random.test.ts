import { compare, type EtcdClient, op, putOf, range } from '../etcd-client.ts';
import { pick, seededRandom } from '../history/random.ts';
import { besideEtcd } from './beside-etcd.ts';

const seed = Date.now() % 2 ** 31;
const { test, same } = besideEtcd(`random calls beside a real etcd, seed ${seed}`);
const calls = 600;

const keys = ['r', 'r/', 'r/a', 'r/a\0', 'r/b', 'r/b\xff', 'r/c', 'r0', 's'];

/** Makes requests with every option; the same ones for both servers. */
class Requests {
  readonly #random = seededRandom(seed);
  /** The newest revision, as it is answered. */
  revision = 1;
  #values = 0;

  chance(part: number): boolean {
    return this.#random() < part;
  }

  pick<T>(list: readonly T[]): T {
    return pick(this.#random, list);
  }

  /** One key, a range, one that is empty, all from a key on. */
  #keyRange() {
    return { key: this.pick(keys), rangeEnd: this.chance(0.4) ? '' : this.pick([...keys, '\0']) };
  }

  /** Near the newest one: of the past, now and then of the future. */
  #near(): number {
    return Math.max(0, this.revision - Math.floor(this.#random() * 12) + 1);
  }

  range() {
    const { key, rangeEnd } = this.#keyRange();
    const filter = () => (this.chance(0.1) ? this.#near() : 0);
    return range(key, {
      rangeEnd,
      limit: this.chance(0.4) ? Math.floor(this.#random() * 4) : 0,
      revision: this.chance(0.3) ? this.#near() : 0,
      sortOrder: this.pick([0, 0, 1, 2]),
      sortTarget: this.pick([0, 1, 2, 3, 4]),
      serializable: this.chance(0.2),
      keysOnly: this.chance(0.2),
      countOnly: this.chance(0.1),
      minModRevision: filter(),
      maxModRevision: filter(),
      minCreateRevision: filter(),
      maxCreateRevision: filter(),
    });
  }

  put(part: object = {}) {
    const keeps = this.chance(0.1);
    return {
      ...putOf(this.pick(keys), keeps ? '' : `${this.#values++}`),
      lease: this.chance(0.2) ? this.pick([501n, 502n, 999n]) : 0n,
      prevKv: this.chance(0.5),
      ignoreValue: keeps,
      ...part,
    };
  }

  deleteRange() {
    return { ...this.#keyRange(), prevKv: this.chance(0.5) };
  }

  /** Never all from a key on: etcd overlooks that it overlaps with a Put, see docs/etcd-api.md. */
  #innerDeleteRange() {
    const request = this.deleteRange();
    return { ...request, rangeEnd: request.rangeEnd === '\0' ? '' : request.rangeEnd };
  }

  #compare() {
    const { key, rangeEnd } = this.#keyRange();
    // The message has a place for one of them only.
    const against = this.pick([
      { target: 0, version: this.pick([0, 1, 2]) },
      { target: 1, createRevision: this.#near() },
      { target: 2, modRevision: this.#near() },
      { target: 3, value: Buffer.from(`${this.#values}`) },
      { target: 4, lease: this.pick([0n, 501n]) },
    ]);
    return compare({ key, rangeEnd, result: this.pick([0, 1, 2, 3]), ...against });
  }

  txn(depth = 0): Parameters<EtcdClient['txn']>[0] & { success: ReturnType<typeof op>[] } {
    const several = <T>(most: number, make: () => T) =>
      Array.from({ length: Math.floor(this.#random() * (most + 1)) }, make);
    return {
      compare: several(2, () => this.#compare()),
      success: several(3, () => this.#op(depth)),
      failure: several(2, () => this.#op(depth)),
    };
  }

  #op(depth: number): ReturnType<typeof op> {
    const chance = this.#random();
    if (chance < 0.35) return op({ requestPut: this.put() });
    if (chance < 0.55) return op({ requestDeleteRange: this.#innerDeleteRange() });
    if (chance < 0.85 || depth >= 2) return op({ requestRange: this.range() });
    const { compare: conditions = [], success, failure = [] } = this.txn(depth + 1);
    return op({ requestTxn: { compare: conditions, success, failure } });
  }
}

same(`${calls} calls with every option`, async (client, record) => {
  const requests = new Requests();
  for (const id of [501n, 502n]) await client.leaseGrant(600, id);
  for (let i = 0; i < calls; i++) {
    const chance = i % 100;
    if (chance === 99) await record(client.compact(requests.revision - 8));
    else if (requests.chance(0.35)) await record(client.range(requests.range()));
    else if (requests.chance(0.4)) await record(client.put({ ...requests.put(), value: `value ${i}` }));
    else if (requests.chance(0.25)) await record(client.deleteRange(requests.deleteRange()));
    else await record(client.txn(requests.txn()));
    requests.revision = (await client.range({ key: 'x' })).header?.revision ?? 0;
  }
  // All that is left, with all its numbers.
  await record(client.range({ key: '\0', rangeEnd: '\0' }));
});

test.run();
