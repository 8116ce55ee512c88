import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { UserError } from '../../shared/lifecycle.ts';
import { roles } from '../../shared/node.ts';

/** Where `npm start` keeps its data unless told otherwise: in the clone, ignored by git. */
export const defaultDataDir = fileURLToPath(new URL('../../../.twonode', import.meta.url));

const clusterSchema = z.object({
  v: z.literal(1),
  /** Process id of `npm start`'s own process. */
  pid: z.int(),
  /** Unix socket on which `twonode fault` steers the cluster. */
  control: z.string(),
  config: z.string(),
  /** Path of kubectl; null when there is none. */
  kubectl: z.string().nullable(),
  nodes: z.array(
    z.object({
      name: z.string(),
      role: z.enum(roles),
      etcd: z.url(),
      nats: z.url(),
      /** Where kube-apiserver sends AdmissionReviews. */
      webhook: z.url(),
      /** Readiness of the shim: 200, or 503 with one line that says what it waits for. */
      status: z.url(),
      metrics: z.object({ shim: z.url(), prober: z.url(), webhook: z.url() }),
      /** URL of the kube-apiserver, and a kubeconfig for it; null when it does not run. */
      api: z.url().nullable(),
      kubeconfig: z.string().nullable(),
      /** Process ids by part; they change when a part is started again. */
      pids: z.record(z.string(), z.int()),
    }),
  ),
});

/** `DIR/cluster.json`: what a script needs to know of a running loopback cluster. */
export type Cluster = z.infer<typeof clusterSchema>;
export type ClusterNode = Cluster['nodes'][number];

export function clusterFile(dataDir: string): string {
  return join(dataDir, 'cluster.json');
}

/** Replaces the file at once, so that a reader never sees half of it. */
export function writeClusterFile(dataDir: string, cluster: Cluster): void {
  const temporary = `${clusterFile(dataDir)}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(cluster, null, 2)}\n`);
  renameSync(temporary, clusterFile(dataDir));
}

/** @throws UserError when no cluster runs in this folder */
export function readClusterFile(dataDir: string): Cluster {
  let text: string;
  try {
    text = readFileSync(clusterFile(dataDir), 'utf8');
  } catch {
    throw new UserError(`no cluster runs in ${dataDir}: "npm start" starts one`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = clusterSchema.safeParse(json);
  if (!parsed.success) throw new UserError(`${clusterFile(dataDir)} is not the file of a twonode cluster`);
  return parsed.data;
}
