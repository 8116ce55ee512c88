import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, defaultDataDir } from './cluster-file.ts';
import { welcome } from './welcome.ts';

const cluster = { nodes: [], kubectl: '/k/kubectl' } as unknown as Cluster;

test('the commands to try find the cluster of another folder', () => {
  const text = welcome(cluster, new Map(), '/elsewhere');
  assert.match(
    text,
    'bin/twonode.js fault --data-dir /elsewhere cut-link && bin/twonode.js status --data-dir /elsewhere',
  );
});

test('the cluster of this clone needs no folder', () => {
  assert.match(
    welcome(cluster, new Map(), defaultDataDir),
    'bin/twonode.js fault cut-link && bin/twonode.js status\n',
  );
});

test.run();
