import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

interface Context {
  folder: string;
  config: string;
}
const test = suite<Context>('twonode command');
const main = fileURLToPath(new URL('./main.js', import.meta.url));

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'twonode-cli-'));
  context.config = join(context.folder, 'twonode.yaml');
  await writeFile(
    context.config,
    `apiVersion: twonode.dev/v1alpha1
kind: TwoNodeConfiguration
cluster: edge-1
dataDir: ${context.folder}/data
nodes:
  - {name: node-a, role: leader, address: 10.0.0.1}
  - {name: node-b, role: follower, address: 10.0.0.2}
probes: {northSouth: [{name: gateway, address: 10.0.0.254}]}
`,
  );
});
test.after.each(({ folder }) => rm(folder, { recursive: true, force: true }));

async function twonode(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const read = async (stream: NodeJS.ReadableStream) => {
    let text = '';
    for await (const chunk of stream) text += chunk;
    return text;
  };
  const [stdout, stderr, [status]] = await Promise.all([
    read(child.stdout),
    read(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, status };
}

const wrong: [title: string, args: string[], status: number, stderr: RegExp][] = [
  ['an unknown command', ['bogus'], 2, /^twonode: unknown command 'bogus'\n$/],
  ['an unknown flag', ['status', '--bogus'], 2, /^twonode: unknown option '--bogus'\n$/],
  ['a missing flag', ['run'], 2, /^twonode: required option '--node <name>' not specified\n$/],
  [
    'no configuration file',
    ['run', '--config', '/nowhere', '--node', 'a'],
    1,
    /^twonode: \/nowhere: cannot read/,
  ],
  [
    'a flag that is no duration',
    ['etcd', '--watch-progress-notify-interval', 'soon'],
    2,
    /is not a duration/,
  ],
  [
    'a certificate without its key',
    ['etcd', '--cert-file', 'x'],
    1,
    /^twonode: --cert-file and --key-file go/,
  ],
  ['a part that cannot be killed', ['fault', 'kill', 'kubelet', 'node-a'], 2, /^twonode: .* is invalid/],
  [
    'a fault without a cluster',
    ['fault', '--data-dir', '/nowhere', 'heal'],
    1,
    /^twonode: no cluster runs in/,
  ],
  ['status of nothing', ['status', '--data-dir', '/nowhere'], 3, /^twonode: no cluster runs in/],
  ['why of an unknown verb', ['why', 'destroy', 'pods'], 2, /expected create, update, patch or delete/],
  ['why of nothing', ['why', 'create', 'pods', '--data-dir', '/nowhere'], 3, /^twonode: no cluster runs in/],
  ['status through no server', ['status', '--nats', 'nats://127.0.0.1:1'], 3, /^twonode: no shim answers/],
];
for (const [title, args, expected, text] of wrong) {
  test(`${title} is one sentence`, async () => {
    const { status, stderr } = await twonode(...args);
    assert.match(stderr, text);
    assert.is(stderr.trim().split('\n').length, 1);
    assert.is(status, expected);
  });
}

test('a wrong configuration file is named with line and path', async ({ config }) => {
  await writeFile(config, (await readFile(config, 'utf8')).replace('role: follower', 'role: helper'));
  const { status, stderr } = await twonode('run', '--config', config, '--node', 'node-a');
  assert.match(stderr, `${config}:7: nodes.1.role: `);
  assert.is(status, 1);
});

test('a node that is not in the configuration is named', async ({ config }) => {
  const { status, stderr } = await twonode('shim', '--config', config, '--node', 'node-c');
  assert.match(stderr, 'there is no node "node-c" in the configuration: its nodes are node-a and node-b');
  assert.is(status, 1);
});

test('why answers for a supposed state from the configuration alone', async ({ config }) => {
  const ask = (...args: string[]) => twonode('why', '--config', config, '--state', 'Impaired', ...args);
  const own = await ask('--node', 'node-b', 'update', 'nodes', 'node-b');
  assert.is(
    own.stdout,
    'node-b: yes. Impaired: rule "own node" allows UPDATE nodes node-b as system:admin\n',
  );
  assert.is(own.status, 0);
  const both = await ask('create', 'deployments', 'web', '-n', 'shop');
  assert.match(
    both.stdout,
    /^node-a: no\. Impaired: none of .* CREATE deployments\.apps shop\/web .*\nnode-b: no\. /,
  );
  assert.is(both.status, 1);
});

test('init makes the key once, for its owner only, and the mark of the leader', async ({
  config,
  folder,
}) => {
  const first = await twonode('init', '--config', config, '--node', 'node-a');
  assert.is(first.status, 0);
  assert.match(first.stdout, 'copy it to node-b');
  const key = join(folder, 'data', 'cluster.key');
  assert.match(await readFile(key, 'utf8'), /^[0-9a-f]{64}\n$/);
  assert.is((await stat(key)).mode & 0o777, 0o600);
  assert.ok(await stat(join(folder, 'data', 'node-a', 'init')));
  const again = await twonode('init', '--config', config, '--node', 'node-b');
  assert.match(again.stdout, 'is there already');
  assert.match(again.stdout, 'it takes everything else from node-a');
});

const aStream = 'data/node-a/nats/jetstream/jetstream/$G/streams/TWONODE_LOG_1';

test('init refuses a node that has a store', async ({ config, folder }) => {
  await mkdir(join(folder, aStream), { recursive: true });
  const { status, stderr } = await twonode('init', '--config', config, '--node', 'node-a');
  assert.match(stderr, 'node-a has a store already');
  assert.is(status, 1);
});

test('promote takes a leader with a copy of the log, and the word of a person', async ({
  config,
  folder,
}) => {
  const promote = (node: string, ...flags: string[]) =>
    twonode('promote', '--config', config, '--node', node, ...flags);
  assert.match((await promote('node-b')).stderr, 'node-b is the follower');
  assert.match((await promote('node-a', '--old-leader-is-wiped')).stderr, 'has no copy of the log');
  await mkdir(join(folder, aStream), { recursive: true });
  const unsaid = await promote('node-a');
  assert.match(unsaid.stderr, 'If node-b is gone for good: --old-leader-is-wiped');
  assert.is(unsaid.status, 1);
  assert.is((await promote('node-a', '--old-leader-is-wiped')).status, 0);
  assert.ok(await stat(join(folder, 'data/node-a/promote')));
});

test.run();
