import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfiguration } from '../config/load.ts';
import { hostPort, natsServerConfig, singleNodeConfig } from './config.ts';

const config = parseConfiguration(
  `
apiVersion: twonode.dev/v1alpha1
kind: TwoNodeConfiguration
cluster: edge-1
nodes:
  - {name: node-a, role: leader, address: "fd00::1", bind: "::1"}
  - {name: node-b, role: follower, address: "fd00::2"}
probes: {northSouth: [{name: gateway, address: 10.0.0.254}]}
`,
  'test.yaml',
);
const passwords = { services: 's', leaf: 'l' };

test('the leader listens for the leaf link on its bind address and advertises nothing', () => {
  const server = JSON.parse(natsServerConfig(config, 'node-a', '/data/nats', passwords));
  assert.equal(server.leafnodes, { listen: '[::1]:7422', no_advertise: true });
  assert.equal(
    server.authorization.users.map((user: { user: string }) => user.user),
    ['twonode', 'observer', 'leaf'],
  );
  assert.is(server.jetstream.sync_interval, 'always');
  assert.is(server.jetstream.domain, 'node-a');
});

test('the follower dials the leader, and has no leaf user', () => {
  const server = JSON.parse(natsServerConfig(config, 'node-b', '/data/nats', passwords));
  assert.is(server.leafnodes.remotes[0].url, 'nats-leaf://leaf:l@[fd00::1]:7422');
  assert.is(server.leafnodes.remotes[0].dial_timeout, '300ms');
  assert.is(server.leafnodes.listen, undefined);
  assert.is(server.authorization.users.length, 2);
});

test('the log and overlay subjects are in no allow-list of the leaf', () => {
  const server = JSON.parse(natsServerConfig(config, 'node-a', '/data/nats', passwords));
  const { permissions } = server.authorization.users[2];
  for (const subject of [...permissions.publish, ...permissions.subscribe]) {
    assert.ok(
      /^(twonode\.>|\$SRV\.>|_INBOX\.>|\$JS\.FC\.>|\$JSC\.R\.>|\$JS\.node-[ab]\.API\.CONSUMER\.RESET\.\*\.mirror_node-[ab]|repl\.deliver\.node-[ab])$/.test(
        subject,
      ),
      subject,
    );
  }
});

test('a single node has no leaf link', () => {
  const server = JSON.parse(singleNodeConfig('etcd', '/data', { nats: 4222, monitoring: 8222 }, passwords));
  assert.is(server.leafnodes, undefined);
});

test('an IPv6 address stands in brackets', () => {
  assert.is(hostPort('::1', 1), '[::1]:1');
  assert.is(hostPort('10.0.0.1', 1), '10.0.0.1:1');
});

test.run();
