import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** Who wrote what through a kube-apiserver, from its audit log. */
export interface AuditedWrite {
  user: string;
  verb: string;
  apiGroup: string;
  resource: string;
  /** `''` for the object itself. */
  subresource: string;
  namespace: string;
  name: string;
  status: number;
}

const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'None', verbs: ['get', 'list', 'watch'] }, { level: 'Metadata' }],
};

/** Writes the policy, and gives the flags of a kube-apiserver that logs every write. */
export function auditFlags(policyFile: string, logFile: string): string[] {
  writeFileSync(policyFile, JSON.stringify(policy));
  return [`--audit-policy-file=${policyFile}`, `--audit-log-path=${logFile}`, '--audit-log-maxsize=1000'];
}

const eventSchema = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  impersonatedUser: z.object({ username: z.string() }).optional(),
  objectRef: z
    .object({
      resource: z.string().default(''),
      namespace: z.string().default(''),
      name: z.string().default(''),
      apiGroup: z.string().default(''),
      subresource: z.string().default(''),
    })
    .optional(),
  responseStatus: z.object({ code: z.number() }).optional(),
});

/** All writes in the log, in their order. */
export function readAuditLog(logFile: string): AuditedWrite[] {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  return lines.flatMap((line) => {
    if (line === '') return [];
    const { user, impersonatedUser, objectRef, responseStatus, verb } = eventSchema.parse(JSON.parse(line));
    if (!objectRef) return [];
    const { username } = impersonatedUser ?? user;
    return [{ ...objectRef, verb, user: username, status: responseStatus?.code ?? 0 }];
  });
}
