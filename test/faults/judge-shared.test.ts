import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lostEntries } from './judge-shared.ts';

const test = suite('what was appended to shared keys');

test('stands in the value, or in a version of a conflict', () => {
  const values = [
    { key: 'k', value: 'node-a.0 node-a.1 ' },
    { key: 'k', value: 'node-a.0 node-b.0 ' },
  ];
  const appended: [string, string][] = [
    ['k', 'node-a.0'],
    ['k', 'node-a.1'],
    ['k', 'node-b.0'],
  ];
  assert.equal(lostEntries(appended, values), []);
});

test('is lost when it stands in none, or in that of another key', () => {
  const values = [
    { key: 'k', value: 'node-a.10 ' },
    { key: 'l', value: 'node-a.1 ' },
  ];
  assert.equal(lostEntries([['k', 'node-a.1']], values), ['k node-a.1']);
});

test.run();
