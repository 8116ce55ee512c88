import { setTimeout as delay } from 'node:timers/promises';
import { nodeNames } from './network.ts';
import { withSite } from './with-site.ts';

const healLimitMs = 90_000;

/**
 * Lets the link lose packets at random in both directions and counts changes of state. A change because the peer is said to be
 * down is a false alarm of the beats; one because the log link stalls is no alarm of theirs.
 */
export async function runFalseAlarms(
  minutes: number,
  lossPercent: number,
  keepLogs: boolean,
): Promise<number> {
  return withSite({ keepLogs }, async (site) => {
    const startMs = Date.now();
    site.network.lose('node-a', 'node-b', lossPercent / 100);
    site.network.lose('node-b', 'node-a', lossPercent / 100);
    await delay(minutes * 60_000);
    const changes = nodeNames.flatMap((node) => site.machines[node].client.changesSince(startMs));
    for (const node of nodeNames) site.network.loseNothing(node);
    await site.untilWell(healLimitMs);
    const alarms = changes.filter(({ reason }) => reason === 'peer-down' || reason === 'isolated').length;
    const stalls = changes.filter(({ reason }) => reason === 'link-stalled').length;
    console.log(
      `${minutes} min at ${lossPercent} % loss each way: ${alarms} false alarms, ${changes.length} changes of state, ` +
        `${stalls} because the log link stalled`,
    );
    return alarms;
  });
}
