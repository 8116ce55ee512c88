import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { namespacesArePossible } from './network.ts';
import { ProberSite } from './prober-site.ts';

/** Peers, beats, API, gateway and test points over IPv6 alone. */

const possible = namespacesArePossible();
if (!possible) console.log('skipped: network namespaces need root and iproute2');

(possible ? test : test.skip)(
  'all is well over IPv6, and the gateway of its default route is missed',
  async () => {
    const site = await ProberSite.build({ family: 6 });
    try {
      await site.start();
      const gone = ['gateway', 'service'].map((name) =>
        site.verdicts.next('node-a', `northsouth.${name}`, 'failed'),
      );
      const silent = site.verdicts.next('node-a', 'eastwest.beat', 'failed');
      site.network.unplug('gateway');
      process.kill(site.pid('node-b', 'prober'), 'SIGSTOP');
      assert.is((await silent).reason, 'no beat of node-b');
      const [gateway, service] = await Promise.all(gone);
      assert.is(gateway?.reason, 'gateway fd00::254: no ICMP echo reply');
      assert.match(service?.reason ?? '', /^service fd00::254: TCP port 7 /);
    } finally {
      await site.close();
    }
  },
);

test.run();
