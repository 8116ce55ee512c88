import { Counter, type Registry } from 'prom-client';
import { builtInResources } from '../../../shared/mutation/built-in-resources.ts';
import { datastoreGroup, type KeyedObject } from '../../../shared/mutation/registry-key.ts';
import type { RestrictedState } from '../../../shared/node.ts';

/** Is told each object whose write was judged in a restricted state. */
export type OnJudged = (
  state: RestrictedState,
  object: Pick<KeyedObject, 'apiGroup' | 'resource'>,
  allowed: boolean,
) => void;

const typeOf = ({ apiGroup, resource }: Pick<KeyedObject, 'apiGroup' | 'resource'>) =>
  `${apiGroup}/${resource}`;
const builtIn = new Set([...builtInResources.values()].map(typeOf));

/** Metrics of what the lists let through and refused. Whoever may write keys must not make labels: what is not built in is `other`. */
export function registerJudgedWrites(registry: Registry): OnJudged {
  const counter = (name: string, help: string) =>
    new Counter({ name, help, labelNames: ['state', 'resource'], registers: [registry] });
  const allowedWrites = counter(
    'twonode_writes_allowed_total',
    'Writes that a mutation list let through at the datastore, by key.',
  );
  const refusedWrites = counter(
    'twonode_writes_refused_total',
    'Writes that a mutation list refused at the datastore, by key.',
  );
  return (state, object, allowed) => {
    const named = object.apiGroup === datastoreGroup || builtIn.has(typeOf(object));
    const resource = named ? object.resource : 'other';
    (allowed ? allowedWrites : refusedWrites).inc({ state, resource });
  };
}
