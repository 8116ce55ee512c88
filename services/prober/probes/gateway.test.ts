import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultGateway } from './gateway.ts';

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = (destination: string, gateway: string, flags: string, metric: number, mask: string) =>
  `eth0\t${destination}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

test('the gateway of the default route', () => {
  const lan = route('0000000A', '00000000', '0001', 0, '00FFFFFF');
  assert.is(
    defaultGateway(head + lan + route('00000000', 'FE00000A', '0003', 100, '00000000')),
    '10.0.0.254',
  );
});

test('of several the one with the lowest metric', () => {
  const far = route('00000000', '0200000A', '0003', 200, '00000000');
  const near = route('00000000', '0100000A', '0003', 100, '00000000');
  assert.is(defaultGateway(head + far + near), '10.0.0.1');
});

test('a default route that is down or without a gateway is none', () => {
  assert.is(defaultGateway(head + route('00000000', '0100000A', '0002', 0, '00000000')), null);
  assert.is(defaultGateway(head + route('00000000', '00000000', '0001', 0, '00000000')), null);
  assert.is(defaultGateway(head), null);
});

test.run();
