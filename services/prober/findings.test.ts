import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Finding, findingsText, verdictOf } from './findings.ts';
import { failed, ok, unknown, type Verdict, warning } from './verdict.ts';

const finding = (check: string, verdict: Verdict, severity: Finding['severity'] = 'fatal'): Finding => ({
  check,
  how: `look at ${check}`,
  advice: 'do this',
  severity,
  lacks: null,
  durationMs: 1,
  ...verdict,
});

test('the exit status names the worst that matters', () => {
  const well = finding('local.nic', ok());
  assert.is(verdictOf([well]), 0);
  assert.is(verdictOf([well, finding('local.cpu', warning('w'), 'warning')]), 1);
  assert.is(verdictOf([well, finding('eastwest.icmp', failed('f'), 'warning')]), 1);
  assert.is(verdictOf([well, finding('northsouth.gateway', unknown('u'))]), 3);
  assert.is(verdictOf([finding('local.api', failed('f')), finding('northsouth.gateway', unknown('u'))]), 2);
});

test('the table', () => {
  const findings = [
    finding('local.nic', ok({ admin: 'up', carrier: 1, interfaces: [] })),
    finding('local.cni', failed('CNI: /etc/cni/net.d does not exist')),
    { ...finding('eastwest.icmp', failed('node-b: no ICMP echo reply'), 'warning'), lacks: 'CAP_NET_RAW' },
  ];
  assert.is(
    findingsText('node-a', new Date(0), findings),
    `node-a at 1970-01-01T00:00:00.000Z

CHECK          VERDICT  HOW                    FOUND
local.nic      ok       look at local.nic      admin up, carrier 1
local.cni      FAILED   look at local.cni      CNI: /etc/cni/net.d does not exist
                        -> do this
eastwest.icmp  WARNING  look at eastwest.icmp  node-b: no ICMP echo reply
                        -> do this
                        -> this process lacks CAP_NET_RAW

1 ok, 2 failed`,
  );
});

test.run();
