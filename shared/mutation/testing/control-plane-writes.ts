import type { RestrictedState } from '../../node.ts';
import { authorizeKey } from '../datastore-write.ts';
import type { MutationLists } from '../lists.ts';
import { registryKey } from '../registry-key.ts';
import { type MutationVerb, mutationVerbs } from '../request.ts';

/**
 * Writes of the control plane, as test/e2e/record-control-plane.ts recorded them: a line says who wrote what, and what the
 * shim of a restricted node makes of it by the built-in lists alone.
 */
export interface ControlPlaneWrite {
  user: string;
  verb: MutationVerb;
  apiGroup: string;
  resource: string;
  subresource: string;
  /** `''` for cluster-scoped objects. */
  namespace: string;
  /** `''` where the apiserver chose it. */
  name: string;
}

const states = ['LeaderRX', 'Impaired'] as const;

/** The set that lets the resulting write through, or `no`. */
function verdictOf(lists: MutationLists, state: RestrictedState, write: ControlPlaneWrite): string {
  // A binding is created, a status patched: the object that is stored changes.
  const verb = write.subresource === '' ? write.verb : 'update';
  const verdict = authorizeKey(state, lists, { key: registryKey(write), verb });
  return verdict.allowed ? (verdict.rule?.origin ?? 'stores nothing') : 'no';
}

/** `system:kube-scheduler create pods/binding default/web-x -> LeaderRX: running pods; Impaired: no` */
export function describeWrite(lists: MutationLists, write: ControlPlaneWrite): string {
  const { user, verb, apiGroup, resource, subresource, namespace, name } = write;
  const type = `${resource}${apiGroup && `.${apiGroup}`}${subresource && `/${subresource}`}`;
  const object = `${namespace && `${namespace}/`}${name || '-'}`;
  const verdicts = states.map((state) => `${state}: ${verdictOf(lists, state, write)}`);
  return `${user} ${verb} ${type} ${object} -> ${verdicts.join('; ')}`;
}

/** Reads a line of {@link describeWrite}. @throws Error when it is none */
export function parseWrite(line: string): ControlPlaneWrite {
  const [user = '', typed, type = '', object = ''] = line.split(' ');
  const verb = mutationVerbs.find((each) => each === typed);
  if (!verb) throw new Error(`no write: ${line}`);
  const [qualified = '', subresource = ''] = type.split('/');
  const [resource = '', ...group] = qualified.split('.');
  const words = object.split('/');
  const name = words.at(-1) ?? '';
  return {
    user,
    verb,
    resource,
    subresource,
    apiGroup: group.join('.'),
    namespace: words.length > 1 ? (words[0] ?? '') : '',
    name: name === '-' ? '' : name,
  };
}
