import type { Msg, MsgHdrs } from 'nats';

/** A message on its way. */
export interface Envelope {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string;
  readonly headers: MsgHdrs | undefined;
}

export type Payload = Uint8Array | string | undefined;

export function envelope(subject: string, data?: Payload, reply = '', headers?: MsgHdrs): Envelope {
  return { subject, data: Buffer.from(data ?? ''), reply, headers };
}

/** What a subscriber of npm `nats` gets. */
export function messageOf(
  { subject, data, reply, headers }: Envelope,
  publish: (envelope: Envelope) => void,
): Msg {
  const text = () => Buffer.from(data).toString('utf8');
  const message = {
    subject,
    data,
    reply,
    headers,
    sid: 0,
    respond: (answer?: Payload, options?: { headers?: MsgHdrs }) => {
      if (reply === '') return false;
      publish(envelope(reply, answer, '', options?.headers));
      return true;
    },
    json: () => JSON.parse(text()),
    string: text,
  };
  return message as unknown as Msg;
}

/** Whether a subject matches a subscription, split at its dots, with wildcards. */
export function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [at, token] of pattern.entries()) {
    if (token === '>') return subject.length > at;
    if (subject[at] === undefined || (token !== '*' && token !== subject[at])) return false;
  }
  return pattern.length === subject.length;
}
