import { compare, op, putOf, range } from '../etcd-client.ts';
import { besideEtcd } from './beside-etcd.ts';

const { test, same } = besideEtcd('etcd API beside a real etcd');

same('an empty store', async (client, record) => {
  await record(client.range({ key: 'nothing' }));
  await record(client.deleteRange({ key: 'nothing' }));
  await record(client.txn({}));
});

same('put, get, previous values, versions', async (client, record) => {
  await record(client.put({ key: 'a', value: '1' }));
  await record(client.put({ key: 'a', value: '2', prevKv: true }));
  await record(client.put({ key: 'a', ignoreValue: true, prevKv: true }));
  await record(client.range({ key: 'a' }));
  await record(client.range({ key: 'a', keysOnly: true }));
  await record(client.put({ key: '' }));
  await record(client.put({ key: 'b', ignoreValue: true }));
  await record(client.put({ key: 'a', value: 'x', ignoreValue: true }));
  await record(client.put({ key: 'a', lease: 12345n }));
  await record(client.deleteRange({ key: 'a', prevKv: true }));
  await record(client.put({ key: 'a', value: 'anew' }));
  await record(client.range({ key: 'a' }));
});

same('ranges with every option', async (client, record) => {
  for (const [i, value] of ['z', 'y', 'x', 'w', 'v'].entries()) await client.put({ key: `r/${i}`, value });
  await client.put({ key: 'r/1', value: 'again' });
  await client.deleteRange({ key: 'r/3' });
  const all = { key: 'r/', rangeEnd: 'r0' };
  await record(client.range(all));
  await record(client.range({ ...all, limit: 2 }));
  await record(client.range({ ...all, limit: 4 }));
  await record(client.range({ ...all, countOnly: true }));
  await record(client.range({ ...all, keysOnly: true }));
  await record(client.range({ key: 'r/2', rangeEnd: '\0', limit: 3 }));
  await record(client.range({ key: '\0', rangeEnd: '\0', countOnly: true }));
  await record(client.range({ key: 'r0', rangeEnd: 'r/' }));
  const { header } = await client.range(all);
  const now = header?.revision ?? 0;
  for (let back = 0; back <= 7; back++)
    await record(client.range({ ...all, revision: now - back, limit: 3 }));
  await record(client.range({ ...all, revision: now + 1 }));
  await record(client.range({ ...all, revision: -5 }));
  for (const sortTarget of [0, 1, 2, 3, 4, 5]) {
    for (const sortOrder of [0, 1, 2, 3])
      await record(client.range({ ...all, sortTarget, sortOrder, limit: 3 }));
  }
  await record(client.range({ ...all, minModRevision: now - 2 }));
  await record(client.range({ ...all, maxModRevision: now - 3, limit: 1 }));
  await record(client.range({ ...all, minCreateRevision: now - 4, maxCreateRevision: now - 3 }));
  await record(client.range({ key: '' }));
  await record(client.range({ ...all, serializable: true }));
});

same('a sort target without an order: the limit comes first', async (client, record) => {
  for (const key of ['n/1', 'n/1', 'n/1', 'n/2', 'n/2', 'n/3']) await client.put({ key });
  for (const sortTarget of [0, 1, 2, 3, 4])
    await record(client.range({ key: 'n/', rangeEnd: 'n0', sortTarget, limit: 1 }));
});

same('delete of ranges', async (client, record) => {
  for (const key of ['d/1', 'd/2', 'd/3', 'e']) await client.put({ key, value: key });
  await record(client.deleteRange({ key: 'd/', rangeEnd: 'd/3', prevKv: true }));
  await record(client.range({ key: 'd/', rangeEnd: 'e\0' }));
  await record(client.deleteRange({ key: '' }));
  await record(client.deleteRange({ key: 'd/', rangeEnd: 'd0' }));
});

same('compares of every target and result', async (client, record) => {
  await client.put({ key: 't/1', value: 'v' });
  await client.put({ key: 't/1', value: 'w' });
  const { kvs } = await client.range({ key: 't/1' });
  const kv = kvs[0];
  for (const result of [0, 1, 2, 3]) {
    for (const shift of [-1, 0, 1]) {
      const compares = [
        compare({ result, target: 0, key: 't/1', version: 2 + shift }),
        compare({ result, target: 1, key: 't/1', createRevision: (kv?.createRevision ?? 0) + shift }),
        compare({ result, target: 2, key: 't/1', modRevision: (kv?.modRevision ?? 0) + shift }),
        compare({ result, target: 3, key: 't/1', value: Buffer.from('vwx'[shift + 1] ?? '') }),
        compare({ result, target: 4, key: 't/1', lease: BigInt(shift) }),
        compare({ result, target: 2, key: 't/absent', modRevision: shift }),
        compare({ result, target: 3, key: 't/absent' }),
        compare({ result, target: 0, key: 't/', rangeEnd: 't0', version: 1 + shift }),
      ];
      for (const one of compares) await record(client.txn({ compare: [one] }));
    }
  }
});

same(
  'compares of targets and results that etcd does not know, of ranges and of absent keys',
  async (client, record) => {
    await client.put({ key: 'o/1', value: 'v' });
    for (const result of [0, 1, 2, 3, 4, 9]) {
      for (const target of [0, 1, 2, 3, 4, 5, 9]) {
        for (const key of ['o/1', 'o/none']) {
          for (const rangeEnd of ['', '\0', 'o', 'o0'])
            await record(client.txn({ compare: [compare({ result, target, key, rangeEnd })] }));
        }
      }
    }
  },
);

same('transactions: branches, many ops, reads of own writes, nesting', async (client, record) => {
  const put = (key: string, value: string) => op({ requestPut: putOf(key, value) });
  const get = (key: string, part = {}) => op({ requestRange: range(key, part) });
  const del = (key: string, rangeEnd = '') => op({ requestDeleteRange: { key, rangeEnd, prevKv: true } });
  await record(
    client.txn({ success: [put('x/1', 'a'), get('x/1'), put('x/2', 'b'), get('x/', { rangeEnd: 'x0' })] }),
  );
  await record(
    client.txn({ success: [get('x/1'), del('x/1'), get('x/', { rangeEnd: 'x0' }), put('x/9', 'n')] }),
  );
  await record(client.txn({ success: [del('x/none')] }));
  await record(
    client.txn({ compare: [compare({ key: 'x/1', version: 5 })], failure: [get('x/2'), put('x/3', 'f')] }),
  );
  const inner = {
    compare: [compare({ key: 'x/2', result: 1 })],
    success: [put('x/in', '1'), get('x/2')],
    failure: [put('x/out', '1')],
  };
  await record(client.txn({ success: [put('x/2', 'c'), op({ requestTxn: inner }), get('x/in')] }));
  await record(
    client.txn({ success: [op({ requestTxn: { compare: [], success: [get('x/2')], failure: [] } })] }),
  );
});

same('transactions that are refused', async (client, record) => {
  const put = (key: string) => op({ requestPut: putOf(key, 'v') });
  const del = (key: string, rangeEnd = '') => op({ requestDeleteRange: { key, rangeEnd, prevKv: false } });
  await record(client.txn({ success: [put('q'), put('q')] }));
  await record(client.txn({ success: [put('q'), del('q')] }));
  await record(client.txn({ success: [del('p', 'r'), put('q')] }));
  await record(client.txn({ success: [put('q')], failure: [put('q')] }));
  await record(client.txn({ success: [op({})] }));
  await record(client.txn({ success: [put('')] }));
  await record(client.txn({ compare: [compare({ key: '' })] }));
  await record(client.txn({ success: Array.from({ length: 129 }, (_, i) => put(`many/${i}`)) }));
  await record(client.txn({ success: [op({ requestPut: { ...putOf('q', 'v'), lease: 99n } })] }));
  await record(
    client.txn({ success: [put('q/ok'), op({ requestRange: range('q', { revision: 999_999 }) })] }),
  );
  await record(client.txn({ success: [op({ requestRange: range('q', { revision: -2 }) })] }));
  await record(client.range({ key: 'q/ok' }));
  const branch = { compare: [], success: [put('q/both')], failure: [put('q/both')] };
  await record(client.txn({ success: [op({ requestTxn: branch })] }));
  await record(client.txn({ success: [put('q/both'), op({ requestTxn: branch })] }));
});

same('a put that is wrong in two ways, alone and in transactions', async (client, record) => {
  const twice = { key: 'nowhere', value: '', lease: 99n, ignoreValue: true };
  await record(client.put(twice));
  const noLease = op({ requestPut: { ...putOf('q', 'v'), lease: 99n } });
  const notThere = op({ requestPut: { ...putOf('nowhere', ''), ignoreValue: true } });
  const inner = (...success: (typeof noLease)[]) => op({ requestTxn: { compare: [], success, failure: [] } });
  await record(
    client.txn({
      success: [op({ requestPut: { ...putOf('nowhere', ''), ...twice, value: Buffer.alloc(0) } })],
    }),
  );
  await record(client.txn({ success: [inner(noLease), notThere] }));
  await record(client.txn({ success: [notThere, inner(noLease)] }));
  await record(client.txn({ success: [inner(inner(notThere), noLease)] }));
});

same('compaction', async (client, record) => {
  for (let i = 0; i < 4; i++) await client.put({ key: 'c', value: String(i) });
  const now = (await client.range({ key: 'c' })).header?.revision ?? 0;
  await record(client.compact(now - 1));
  await record(client.compact(now - 1));
  await record(client.compact(now + 5));
  await record(client.range({ key: 'c', revision: now - 2 }));
  await record(client.range({ key: 'c', revision: now - 1 }));
  await record(client.range({ key: 'c' }));
  await record(client.compact(now, true));
  await record(client.range({ key: 'c', revision: now - 1 }));
  await record(client.range({ key: 'c', revision: now }));
});

same('watch: past, live, filters, previous values, cancel, compacted', async (client, record) => {
  await client.put({ key: 'w/0', value: 'before' });
  const start = (await client.put({ key: 'w/1', value: 'a' })).header?.revision ?? 0;
  await client.put({ key: 'w/1', value: 'b' });
  const watch = client.watch();
  const request = {
    key: 'w/',
    rangeEnd: 'w0',
    startRevision: start,
    progressNotify: false,
    filters: [],
    prevKv: true,
    watchId: 0,
    fragment: false,
  };
  watch.create(request);
  await record(watch.next());
  await record(watch.next());
  await client.deleteRange({ key: 'w/0' });
  await record(watch.next());
  watch.create({
    ...request,
    key: 'w/1',
    rangeEnd: '',
    startRevision: 0,
    filters: [0],
    watchId: 7,
    prevKv: false,
  });
  await record(watch.next());
  watch.create({ ...request, watchId: 7 });
  await record(watch.next());
  watch.send({ cancelRequest: { watchId: 0 } });
  await record(watch.next());
  await client.put({ key: 'w/1', value: 'filtered' });
  await client.deleteRange({ key: 'w/1' });
  await record(watch.next());
  watch.send({ progressRequest: {} });
  await record(watch.next());
  await client.compact(start + 1);
  watch.create({ ...request, startRevision: start, watchId: 9 });
  await record(watch.next());
  await record(watch.next());
  watch.cancel();
});

same('leases', async (client, record) => {
  await record(client.leaseGrant(100, 4711n));
  await record(client.leaseGrant(100, 4711n));
  await record(client.leaseGrant(9_000_000_001, 4712n));
  await record(client.put({ key: 'l', value: 'x', lease: 4711n }));
  await record(client.put({ key: 'l', value: 'y', ignoreLease: true }));
  await record(client.range({ key: 'l' }));
  await record(client.call('Lease/LeaseRevoke', Buffer.of(8, 0xe7, 0x24)).then(() => null));
  await record(client.range({ key: 'l' }));
  await record(client.call('Lease/LeaseRevoke', Buffer.of(8, 5)).then(() => null));
});

test.run();
