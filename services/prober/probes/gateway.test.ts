import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultGateway4, defaultGateway6, readDefaultGateway } from './gateway.ts';

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = (destination: string, gateway: string, flags: string, metric: number, mask: string) =>
  `eth0\t${destination}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

test('the gateway of the default route', () => {
  const lan = route('0000000A', '00000000', '0001', 0, '00FFFFFF');
  assert.is(
    defaultGateway4(head + lan + route('00000000', 'FE00000A', '0003', 100, '00000000')),
    '10.0.0.254',
  );
});

test('of several the one with the lowest metric', () => {
  const far = route('00000000', '0200000A', '0003', 200, '00000000');
  const near = route('00000000', '0100000A', '0003', 100, '00000000');
  assert.is(defaultGateway4(head + far + near), '10.0.0.1');
});

test('a default route that is down or without a gateway is none', () => {
  assert.is(defaultGateway4(head + route('00000000', '0100000A', '0002', 0, '00000000')), null);
  assert.is(defaultGateway4(head + route('00000000', '00000000', '0001', 0, '00000000')), null);
  assert.is(defaultGateway4(head), null);
});

const zero = '0'.repeat(32);
const route6 = (gateway: string, metric: string, flags = '00000003', device = 'eth0') =>
  `${zero} 00 ${zero} 00 ${gateway} ${metric} 00000002 00000000 ${flags}     ${device}\n`;
const lan6 = `fd000000000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0\n`;
const router = 'fd000000000000000000000000000254';

test('IPv6: the gateway with the lowest metric, in hex', () => {
  const far = route6('fd000000000000000000000000000002', '00000400');
  assert.is(defaultGateway6(lan6 + far + route6(router, '000000ff')), 'fd00::254');
});

test('IPv6: a link-local gateway has its interface with it', () => {
  assert.is(
    defaultGateway6(route6('fe80000000000000021122fffe334455', '00000400')),
    'fe80::211:22ff:fe33:4455%eth0',
  );
});

test('IPv6: unreachable default routes, and those without a gateway, are none', () => {
  const unreachable = route6(zero, 'ffffffff', '00200200', 'lo');
  assert.is(defaultGateway6(lan6 + unreachable + route6(zero, '00000400', '00000001')), null);
  assert.is(defaultGateway6(''), null);
});

test('IPv4 comes before IPv6, and a kernel without IPv6 will do', () => {
  const procNet = mkdtempSync(join(tmpdir(), 'twonode-routes-'));
  writeFileSync(join(procNet, 'route'), head);
  assert.is(readDefaultGateway(procNet), null);
  writeFileSync(join(procNet, 'ipv6_route'), route6(router, '00000400'));
  assert.is(readDefaultGateway(procNet), 'fd00::254');
  writeFileSync(join(procNet, 'route'), head + route('00000000', 'FE00000A', '0003', 100, '00000000'));
  assert.is(readDefaultGateway(procNet), '10.0.0.254');
  rmSync(procNet, { recursive: true });
});

test.run();
