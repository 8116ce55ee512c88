import { clockTime } from '../../../shared/reasons.ts';
import { isFatal, isPeerRestarting, isProberSilent, lastSignOfLife, type Sources } from './facts.ts';
import { localObservations } from './known.ts';
import type { Facts } from './rules.ts';

/** Something that a person should know though it changes no state. */
export interface Warning {
  /** What it is about (`local.cpu`, `peer`, …): a warning is new when its subject is. */
  readonly about: string;
  /** One line for people. */
  readonly text: string;
}

/** A peer's clock that is further off than this is worth a warning, and makes `newest-wins` impossible. */
const clockOffsetMaxMs = 1_000;

type Check = (sources: Sources, facts: Facts) => Warning[];

const prober: Check = (sources, facts) => {
  if (facts.prober === 'lost' || !facts.bootOver || !isProberSilent(sources)) return [];
  const since = clockTime(lastSignOfLife(sources));
  return [{ about: 'prober', text: `the prober is silent since ${since}; the last state stays in force` }];
};

const local: Check = (sources) =>
  localObservations(sources.known)
    .filter(({ check, observation }) => {
      if (observation.severity === 'off' || isFatal(sources, check, observation)) return false;
      return observation.status === 'warning' || observation.status === 'failed';
    })
    .map(({ check, observation }) => ({ about: check, text: observation.text }));

const missing: Check = ({ config, known }, facts) =>
  facts.prober !== 'current'
    ? []
    : config.localChecks
        .filter((check) => !known.checks[`local.${check}`])
        .map((check) => ({ about: `local.${check}`, text: `the prober says nothing about ${check}` }));

const northSouth: Check = ({ config, known }, { prober: knowledge, northSouthLost }) => {
  if (knowledge !== 'current') return [];
  if (northSouthLost) {
    return [
      { about: 'northsouth', text: `nothing north-south answers since ${clockTime(northSouthLost.sinceMs)}` },
    ];
  }
  return config.testPoints.flatMap((name) => {
    const point = known.checks[`northsouth.${name}`];
    if (point?.status !== 'failed' && point?.status !== 'warning') return [];
    return [{ about: `northsouth.${name}`, text: `${name}: ${point.text}` }];
  });
};

const peer: Check = (sources, facts) => {
  const { config, known } = sources;
  if (isPeerRestarting(sources)) {
    const until = clockTime(known.restartingUntilMs ?? sources.nowMs);
    return [{ about: 'peer', text: `${config.peer} restarts and is expected back by ${until}` }];
  }
  if (facts.peer.heard || !facts.bootOver) return [];
  if (known.beat?.peer_leaving) return [{ about: 'peer', text: `${config.peer} has left` }];
  if (facts.peer.silentSinceMs === null) return [{ about: 'peer', text: `${config.peer} is not heard` }];
  return [{ about: 'peer', text: `${config.peer} unreachable since ${clockTime(facts.peer.silentSinceMs)}` }];
};

const eastWest: Check = ({ config, known }, facts) =>
  facts.peer.heard
    ? ['icmp', 'api'].flatMap((check) => {
        const probe = known.checks[`eastwest.${check}`];
        if (probe?.status !== 'failed' && probe?.status !== 'warning') return [];
        return [{ about: `eastwest.${check}`, text: `${config.peer}: ${probe.text}` }];
      })
    : [];

const logLink: Check = ({ config }, { role, peer: { heard, logLink: link } }) =>
  role === 'leader' && heard && link === 'stalled'
    ? [{ about: 'log link', text: `the log link to ${config.peer} is stalled: nothing is copied to it` }]
    : [];

const datastore: Check = ({ known }) =>
  (known.datastore?.notices ?? []).map((text) => ({ about: text, text }));

const clock: Check = ({ config, known }) => {
  const offset = known.beat?.clock_offset_ms ?? 0;
  if (Math.abs(offset) <= clockOffsetMaxMs) return [];
  const seconds = (Math.abs(offset) / 1000).toFixed(1);
  const text = `the clock of ${config.peer} is ${seconds} s ${offset > 0 ? 'ahead' : 'behind'}`;
  return [{ about: 'clock', text }];
};

const configuration: Check = ({ config, known }) => {
  const own = known.beat?.config_digest;
  const other = known.beat?.peer_config_digest;
  if (!own || !other || own === other) return [];
  return [{ about: 'configuration', text: `${config.peer} runs with another configuration file` }];
};

const checks: readonly Check[] = [
  prober,
  local,
  missing,
  northSouth,
  peer,
  eastWest,
  logLink,
  datastore,
  clock,
  configuration,
];

/** All warnings of this moment. */
export function warningsAt(sources: Sources, facts: Facts): Warning[] {
  return checks.flatMap((check) => check(sources, facts));
}
