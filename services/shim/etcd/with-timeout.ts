import { etcdErrors } from './errors.ts';

/**
 * What the work comes to, when that is within a limit. The work itself goes on.
 * @param limitMs in milliseconds
 * @throws EtcdError `request timed out` when it takes longer
 */
export function withTimeout<T>(work: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(etcdErrors.timeout()), limitMs);
    const settle =
      <V>(finish: (value: V) => void) =>
      (value: V) => {
        clearTimeout(timer);
        finish(value);
      };
    work.then(settle<T>(resolve), settle<Error>(reject));
  });
}
