import type { AdmissionRequest } from './review.ts';

/**
 * Whether the update of a subresource ends in the deletion of its object: kube-apiserver deletes an object that waits for its
 * deletion once an update, of the status too, takes its last finalizer away and no grace period is left. See
 * ShouldDeleteDuringUpdate in k8s.io/apiserver/pkg/registry/generic/registry/store.go.
 */
export function takesLastFinalizer({ operation, subResource, object, oldObject }: AdmissionRequest): boolean {
  if (operation !== 'UPDATE' || subResource === '' || !object?.metadata) return false;
  const before = oldObject?.metadata;
  if (!before?.deletionTimestamp || (before.deletionGracePeriodSeconds ?? 0) > 0) return false;
  return (object.metadata.finalizers ?? []).length === 0;
}
