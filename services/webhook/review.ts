import { z } from 'zod';

/** The parts of an AdmissionReview (admission.k8s.io/v1) that are read here; what else it has is left alone. */

const kubernetesObject = z
  .looseObject({
    metadata: z
      .looseObject({
        name: z.string().optional(),
        deletionTimestamp: z.string().nullish(),
        deletionGracePeriodSeconds: z.number().nullish(),
        finalizers: z.array(z.string()).nullish(),
      })
      .optional(),
    spec: z.unknown().optional(),
    template: z.unknown().optional(),
  })
  .nullish();

const admissionRequestSchema = z.object({
  uid: z.string().min(1),
  resource: z.object({
    group: z.string().default(''),
    version: z.string(),
    resource: z.string().min(1),
  }),
  subResource: z.string().default(''),
  name: z.string().default(''),
  namespace: z.string().default(''),
  operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
  userInfo: z.object({ username: z.string().default(''), groups: z.array(z.string()).default([]) }),
  object: kubernetesObject,
  oldObject: kubernetesObject,
});
export type AdmissionRequest = z.infer<typeof admissionRequestSchema>;

export const reviewApiVersion = 'admission.k8s.io/v1';

const reviewSchema = z.object({
  apiVersion: z.literal(reviewApiVersion, `expected ${reviewApiVersion}`),
  kind: z.literal('AdmissionReview', 'expected AdmissionReview'),
  request: admissionRequestSchema,
});

export type DecodedReview = { ok: true; request: AdmissionRequest } | { ok: false; error: string };

/** Reads the body of a review. The error names the field that is wrong and never what is in it: it may be a Secret. */
export function decodeReview(body: unknown): DecodedReview {
  const parsed = reviewSchema.safeParse(body);
  if (parsed.success) return { ok: true, request: parsed.data.request };
  const issue = parsed.error.issues[0];
  const path = issue?.path.join('.') || 'body';
  return { ok: false, error: `not an AdmissionReview: ${path}: ${issue?.message ?? 'invalid'}` };
}
