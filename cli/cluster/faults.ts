import { z } from 'zod';

const nodeName = z.string().min(1);
export const killable = ['prober', 'shim', 'webhook', 'nats-server', 'kube-apiserver'] as const;
export type Killable = (typeof killable)[number];
const part = z.enum(killable);

/** What `twonode fault` asks of a running loopback cluster. */
export const faultSchema = z.discriminatedUnion('fault', [
  z.strictObject({ fault: z.literal('cut-link') }),
  z.strictObject({ fault: z.literal('close-gateway') }),
  z.strictObject({ fault: z.literal('stop-api'), node: nodeName }),
  z.strictObject({ fault: z.literal('start-api'), node: nodeName }),
  z.strictObject({ fault: z.literal('remove-cni'), node: nodeName }),
  z.strictObject({ fault: z.literal('kill'), part, node: nodeName }),
  z.strictObject({ fault: z.literal('pause'), part, node: nodeName }),
  z.strictObject({ fault: z.literal('heal') }),
]);
export type Fault = z.infer<typeof faultSchema>;

/** The answer of the cluster: one sentence. */
export const faultAnswerSchema = z.object({ ok: z.boolean(), text: z.string() });
export type FaultAnswer = z.infer<typeof faultAnswerSchema>;
