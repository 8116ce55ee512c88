import type { StreamCall } from './transport.ts';

/**
 * For a call whose client sends one message and receives many: the message begins it. Others are passed over, as by etcd's gRPC
 * library: each would begin it once more.
 */
export function onSingleRequest(call: Pick<StreamCall, 'onMessage'>, begin: (request: Buffer) => void): void {
  let begun = false;
  call.onMessage((request) => {
    if (begun) return;
    begun = true;
    begin(request);
  });
}
