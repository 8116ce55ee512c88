import { findBinary } from '../../shared/binaries/find.ts';
import type { BinaryName } from '../../shared/binaries/tools.ts';

/** What the tests run, beside Node. */
const programs: readonly BinaryName[] = [
  'nats-server',
  'nats',
  'etcd',
  'etcdctl',
  'kube-apiserver',
  'kubectl',
  'kube-controller-manager',
  'kube-scheduler',
  'kwok',
];

/**
 * Builds what is not there yet, which takes a quarter of an hour the first time: a test's own limit leaves no room for that.
 * What cannot be built is said; the tests that need it fail by themselves.
 */
export async function buildPrograms(): Promise<void> {
  for (const name of programs) {
    await findBinary(name).catch((error: Error) => console.error(`npm test: ${error.message}`));
  }
}
