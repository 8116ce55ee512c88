import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfiguration } from '../../shared/config/load.ts';
import { clusterConfiguration, defaultPortBase, gatewayPort, portSpan } from './layout.ts';
import { routesOf } from './relay/routes.ts';

const config = parseConfiguration(
  JSON.stringify(clusterConfiguration('/data', defaultPortBase)),
  'twonode.yaml',
);

test('the configuration is valid, and all ports differ and lie in the span', () => {
  const ports = [...config.nodes.flatMap((node) => Object.values(node.ports)), gatewayPort(defaultPortBase)];
  assert.is(new Set(ports).size, ports.length);
  for (const port of ports) assert.ok(port >= defaultPortBase && port < defaultPortBase + portSpan);
});

test('all that passes between the nodes goes by the relay: leaf link, beats and API', () => {
  const passing = routesOf(config).map(
    ({ protocol, from, to }) => `${protocol} ${from.host} ${to.host} ${to.port}`,
  );
  const [a, b] = config.nodes;
  assert.equal(passing, [
    `udp 127.0.1.1 127.0.0.1 ${a?.ports.beat}`,
    `tcp 127.0.1.1 127.0.0.1 ${a?.ports.api}`,
    `tcp 127.0.1.1 127.0.0.1 ${a?.ports.leaf}`,
    `udp 127.0.1.2 127.0.0.1 ${b?.ports.beat}`,
    `tcp 127.0.1.2 127.0.0.1 ${b?.ports.api}`,
  ]);
});

test.run();
