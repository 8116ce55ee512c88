import type { PriorityClassValue } from '../../shared/mutation/priority-classes.ts';
import type { AdmissionRequest } from './review.ts';

/** Priority of the pods that a request is about. */
export interface RequestedPriority {
  /** Null when the object has no pods, or a class whose value is not known. */
  priority: number | null;
  priorityClass: string;
}

const none: RequestedPriority = { priority: null, priorityClass: '' };

/**
 * Priority of the pod, or of the pods in the template of a workload. The apiserver has filled in a pod's priority before
 * it asks a validating webhook; a template has only the name of the class, or none: then the global default counts.
 */
export function requestedPriority(
  { resource, subResource, object, oldObject }: AdmissionRequest,
  classValue: PriorityClassValue,
): RequestedPriority {
  const subject = object ?? oldObject;
  // A Scale, a Binding and an Eviction say nothing of pods.
  if (!subject || (subResource !== '' && subResource !== 'status' && subResource !== 'ephemeralcontainers'))
    return none;
  const isPod = resource.group === '' && resource.resource === 'pods';
  const spec = isPod ? record(subject.spec) : templateSpec(subject);
  if (!spec) return none;
  const priorityClass = typeof spec.priorityClassName === 'string' ? spec.priorityClassName : '';
  if (typeof spec.priority === 'number') return { priority: spec.priority, priorityClass };
  return { priority: classValue(priorityClass), priorityClass };
}

/** The pods' spec in a Deployment and its like, a CronJob, or a PodTemplate. */
function templateSpec(object: { spec?: unknown; template?: unknown }) {
  const spec = record(object.spec);
  const job = record(record(spec?.jobTemplate)?.spec);
  const template = record(job?.template) ?? record(spec?.template) ?? record(object.template);
  const podSpec = record(template?.spec);
  return Array.isArray(podSpec?.containers) ? podSpec : undefined;
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
