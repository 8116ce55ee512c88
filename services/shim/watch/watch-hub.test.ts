import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Store } from '../store/store.ts';
import { WatchHub } from './watch-hub.ts';
import { Watcher, type WatchSink } from './watcher.ts';

const test = suite('watch hub');

/** A client whose reading the test stops and starts. */
class Client implements WatchSink {
  congested = false;
  readonly batches: { events: number; revision: number }[] = [];
  readonly ended: number[] = [];

  events(_watcher: Watcher, events: Buffer[], revision: number): void {
    this.batches.push({ events: events.length, revision });
  }

  compacted(_watcher: Watcher, compactRevision: number): void {
    this.ended.push(compactRevision);
  }

  get received(): number {
    return this.batches.reduce((sum, batch) => sum + batch.events, 0);
  }
}

function setUp() {
  const store = new Store();
  const hub = new WatchHub(store);
  const write = (key: string) => {
    const before = store.visible;
    store.put(store.head + 1, key, Buffer.from('v'), 0n);
    store.show(store.head);
    hub.notify(before, store.visible);
  };
  return { store, hub, write };
}

function watcher(
  client: WatchSink,
  next: number,
  part: { key?: string; rangeEnd?: string; filters?: number[] } = {},
) {
  const request = {
    key: 'a',
    rangeEnd: 'b',
    filters: [],
    progressNotify: false,
    prevKv: false,
    startRevision: 0,
    watchId: 0,
    fragment: false,
  };
  return new Watcher(1, { ...request, ...part }, next, client);
}

test('a watcher gets the past from its revision on, then what comes', () => {
  const { hub, write } = setUp();
  write('a1');
  write('a2');
  write('c');
  const client = new Client();
  hub.add(watcher(client, 3));
  assert.equal(client.batches, [{ events: 1, revision: 4 }]);
  write('a3');
  write('c');
  assert.is(client.received, 2);
});

test('a watcher of a single key gets no sibling', () => {
  const { hub, write } = setUp();
  const client = new Client();
  hub.add(watcher(client, 2, { key: 'a', rangeEnd: '' }));
  write('a1');
  write('a');
  assert.is(client.received, 1);
});

test('a slow client keeps only its place, and gets every event once it reads again', () => {
  const { hub, write } = setUp();
  const client = new Client();
  const slow = watcher(client, 2);
  hub.add(slow);
  write('a1');
  client.congested = true;
  for (let i = 0; i < 2_500; i++) write(`a${i}`);
  assert.is(client.received, 1);
  client.congested = false;
  hub.catchUp(slow);
  assert.is(client.received, 2_501);
  write('a');
  assert.is(client.received, 2_502);
});

test('watchers of one stream: those behind the one that made it slow keep their place', () => {
  const { hub, write } = setUp();
  const client = new Client();
  // The stream is slow as soon as anything waits for it.
  client.events = (_watcher, events, revision) => {
    client.batches.push({ events: events.length, revision });
    client.congested = true;
  };
  const watchers = Array.from({ length: 5 }, () => watcher(client, 2));
  for (const each of watchers) hub.add(each);
  write('a1');
  assert.is(client.received, 1);
  assert.is(hub.behind, 4);
  for (const each of watchers) {
    client.congested = false;
    hub.catchUp(each);
  }
  assert.is(client.received, 5);
  assert.is(hub.behind, 0);
});

test('a slow client whose place was compacted is told so', () => {
  const { hub, write, store } = setUp();
  const client = new Client();
  const slow = watcher(client, 2);
  hub.add(slow);
  client.congested = true;
  for (let i = 0; i < 10; i++) write('a');
  store.compact(8);
  client.congested = false;
  hub.catchUp(slow);
  assert.equal(client.ended, [8]);
  assert.is(hub.size, 0);
});

test('a jump ends all watches below it', () => {
  const { hub, write, store } = setUp();
  const client = new Client();
  hub.add(watcher(client, 2));
  write('a');
  const before = store.visible;
  store.jump(2 ** 32);
  store.show(2 ** 32);
  hub.notify(before, store.visible);
  assert.equal(client.ended, [2 ** 32]);
});

test('a watcher of the future gets nothing before its revision', () => {
  const { hub, write } = setUp();
  const client = new Client();
  hub.add(watcher(client, 4));
  write('a');
  write('a');
  assert.is(client.received, 0);
  write('a');
  assert.is(client.received, 1);
});

test.run();
