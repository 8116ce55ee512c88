import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EtcdClient } from '../etcd-client.ts';
import { type EtcdServer, startTwonodeEtcd } from '../etcd-servers.ts';

/** What was acknowledged is there after kill -9 of the shim and of its nats-server, and no revision is given twice. */
const test = suite<{ server: EtcdServer }>('durability');
const rounds = 4;
const callers = 8;

test.before(async (context) => {
  context.server = await startTwonodeEtcd();
});
test.after(({ server }) => server.stop());

/** The children of a process. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]) === pid;
      } catch {
        // It has just ended.
        return false;
      }
    })
    .map(Number);
}

/** Writes until the server is killed; remembers what was acknowledged, with its revision. */
class Writer {
  readonly acknowledged = new Map<string, number>();
  #stopped = false;

  async run(address: string, round: number, caller: number, onAcknowledged: () => void): Promise<void> {
    const client = new EtcdClient(address);
    for (let i = 0; !this.#stopped; i++) {
      const key = `/${round}/${caller}/${i}`;
      try {
        const { header } = await client.put({ key, value: `${key} `.repeat(20) });
        this.acknowledged.set(key, header?.revision ?? 0);
        onAcknowledged();
      } catch {
        break;
      }
    }
    client.close();
  }

  stop(): void {
    this.#stopped = true;
  }
}

async function loadUntil(server: EtcdServer, round: number, count: number, strike: () => Promise<void>) {
  const writer = new Writer();
  let enough = () => {};
  const written = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const running = Array.from({ length: callers }, (_, caller) =>
    writer.run(server.address, round, caller, () => {
      if (writer.acknowledged.size >= count) enough();
    }),
  );
  await written;
  await strike();
  writer.stop();
  await Promise.all(running);
  return writer.acknowledged;
}

async function assertAllThere(server: EtcdServer, acknowledged: Map<string, number>) {
  const client = new EtcdClient(server.address);
  const { kvs, header } = await client.range({ key: '/', rangeEnd: '0' });
  client.close();
  const there = new Map(kvs.map((kv) => [kv.key, kv.modRevision]));
  for (const [key, revision] of acknowledged) assert.is(there.get(key), revision, key);
  assert.is(new Set(there.values()).size, there.size, 'a revision was given twice');
  for (const revision of there.values()) assert.ok(revision <= (header?.revision ?? 0));
}

test('kill -9 of the shim under load loses nothing', async ({ server }) => {
  for (let round = 0; round < rounds; round++) {
    const acknowledged = await loadUntil(server, round, 300, () => server.killAndRestart());
    await assertAllThere(server, acknowledged);
  }
});

test('kill -9 of nats-server under load loses nothing, and the shim goes on by itself', async ({
  server,
}) => {
  for (let round = rounds; round < 2 * rounds; round++) {
    const [nats] = childrenOf(server.child.pid ?? 0);
    assert.ok(nats);
    const acknowledged = await loadUntil(server, round, 300, async () => {
      process.kill(nats, 'SIGKILL');
      const client = new EtcdClient(server.address);
      await client.put({ key: `/${round}/after`, value: 'x' });
      client.close();
    });
    await assertAllThere(server, acknowledged);
  }
});

test('kill -9 while the log is cleaned loses nothing either', async () => {
  const small = await startTwonodeEtcd('--quota-backend-bytes', String(16 * 1024 * 1024));
  const filler = 'x'.repeat(5_000);
  /** For each key the newest number that was acknowledged. */
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 6; round++) {
    let strike = () => {};
    const enough = new Promise<void>((resolve) => {
      strike = resolve;
    });
    let written = 0;
    const write = async (caller: number) => {
      const client = new EtcdClient(small.address);
      const key = `/cleaned/${caller}`;
      try {
        for (let i = (acknowledged.get(key) ?? 0) + 1; ; i++) {
          const { header } = await client.put({ key, value: `${i} ${filler}` });
          acknowledged.set(key, i);
          if (++written % 100 === 0) await client.compact((header?.revision ?? 1) - 1).catch(() => undefined);
          if (written >= 1_500 + 37 * round) strike();
        }
      } catch {
        // It was killed.
      }
      client.close();
    };
    const writers = Array.from({ length: callers }, (_, caller) => write(caller));
    await enough;
    await small.killAndRestart();
    await Promise.all(writers);
    const client = new EtcdClient(small.address);
    const { kvs } = await client.range({ key: '/cleaned/', rangeEnd: '/cleaned0' });
    client.close();
    for (const [key, number] of acknowledged) {
      const there = Number.parseInt(kvs.find((kv) => kv.key === key)?.value.toString() ?? '', 10);
      assert.ok(there >= number, `${key}: ${number} was acknowledged, ${there} is there`);
      acknowledged.set(key, there);
    }
  }
  await small.stop();
});

test.run();
