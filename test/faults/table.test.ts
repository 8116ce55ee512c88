import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findBinary } from '../../shared/binaries/find.ts';
import { runFault } from './load.ts';
import { loadFaults } from './load-faults.ts';
import { namespacesArePossible } from './network.ts';
import { chapters } from './rows.ts';
import { runRow } from './run-row.ts';
import { Site } from './site.ts';

/** Four rows of the condition table, and four faults under load, on two whole nodes; `npm run faults` runs all of them. */

const wanted = ['physical-joint', 'nic-leader', 'node-leader', 'east-west'];
const underLoad = [
  'link cut for 5 s',
  'log link stalls for 6 s',
  'clock of node-b steps by -5 h, and back',
  'rolling restart of both nodes',
];
const obstacle = await whyNot();
if (obstacle) console.log(`skipped: ${obstacle}`);

async function whyNot(): Promise<string | null> {
  if (!namespacesArePossible()) return 'network namespaces need root and iproute2';
  return findBinary('kube-apiserver').then(
    () => null,
    (error: Error) => error.message,
  );
}

const test = suite<{ site: Site }>('the condition table on two nodes');
const row = obstacle ? test.skip : test;

test.before(async (context) => {
  if (obstacle) return;
  context.site = await Site.build();
  await context.site.start();
});
test.after(async ({ site }) => {
  await site?.close();
});

const [usual] = chapters;
for (const wantedRow of usual?.rows.filter(({ name }) => wanted.includes(name)) ?? []) {
  row(wantedRow.condition, async ({ site }) => {
    const { problems, toStateMs, toHealMs } = await runRow(site, wantedRow);
    console.log(`  ${wantedRow.condition}: ${toStateMs} ms, healed in ${toHealMs} ms`);
    assert.equal(problems, []);
  });
}

for (const [index, fault] of loadFaults.entries()) {
  if (!underLoad.includes(fault.name)) continue;
  row(`${fault.name}, under load`, async ({ site }) => {
    const { problems, toHealMs } = await runFault(site, fault, index);
    console.log(`  ${fault.name}: healed in ${toHealMs} ms`);
    assert.equal(problems, []);
  });
}

test.run();
