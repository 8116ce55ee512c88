import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { namespacesArePossible } from './network.ts';
import { ProberSite } from './prober-site.ts';

/**
 * Two real probers, 30 % of all that passes between them and 30 % of what the gateway answers dropped at random by the kernel,
 * in real time: no false alarm. Short here; ten minutes with TWONODE_SOAK_SECONDS=600.
 */
const soakSeconds = Number(process.env.TWONODE_SOAK_SECONDS ?? 20);
const loss = 0.3;

/** What a dropped packet may not make fail: all that is fatal. */
const fatal = /^(local\.|northsouth\.|eastwest\.(beat|api)$)/;

const possible = namespacesArePossible();
if (!possible) console.log('skipped: network namespaces need root and iproute2');

(possible ? test : test.skip)(`30 % loss for ${soakSeconds} s raises no false alarm`, async () => {
  const site = await ProberSite.build();
  try {
    await site.start();
    for (const sender of ['node-b', 'gateway', 'wan'] as const) site.network.lose('node-a', sender, loss);
    for (const sender of ['node-a', 'gateway', 'wan'] as const) site.network.lose('node-b', sender, loss);
    const from = site.verdicts.all.length;
    await delay(soakSeconds * 1_000);
    const dropped = (['node-a', 'node-b'] as const).map((node) => site.network.lost(node));
    console.log(`  packets dropped at node-a ${dropped[0]}, at node-b ${dropped[1]}`);
    // Ten beats a second and as many other packets come in; of these 30 % are some more than this.
    for (const packets of dropped) assert.ok(packets > soakSeconds * 5, `${packets} packets dropped`);
    const verdicts = site.verdicts.all.slice(from);
    for (const { node, check, status, reason } of verdicts) {
      console.log(`  ${node} ${check} ${status}: ${reason}`);
    }
    assert.equal(
      verdicts.filter(({ check, status }) => status === 'failed' && fatal.test(check)),
      [],
    );
  } finally {
    await site.close();
  }
});

test.run();
