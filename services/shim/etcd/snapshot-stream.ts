import type { Backend } from '../backend.ts';
import { SnapshotError, snapshotOf } from '../snapshot.ts';
import { etcdErrors } from './errors.ts';
import { snapshotResponse } from './messages.ts';
import { onSingleRequest } from './single-request.ts';
import type { Streaming } from './transport.ts';
import { etcdVersion } from './version.ts';

/** Bytes that may wait for a client before the next part is made. */
const unsentBytesMax = 1024 * 1024;

/** Streams a snapshot of what readers see when the call begins. */
export function snapshotStream(backend: Backend): Streaming {
  return (call) => {
    onSingleRequest(call, () => {
      const parts = snapshotOf(backend.database, Date.now());
      let ended = false;
      const end = (error?: Error) => {
        ended = true;
        call.end(error);
      };
      const send = () => {
        try {
          while (!ended && call.unsentBytes <= unsentBytesMax) {
            const { value, done } = parts.next();
            if (done) end();
            else call.write(snapshotResponse.encode({ blob: value, version: etcdVersion }));
          }
        } catch (error) {
          end(error instanceof SnapshotError ? etcdErrors.compacted() : (error as Error));
        }
      };
      call.onDrain(send);
      send();
    });
  };
}
