import { findBinary } from '../../shared/binaries/find.ts';
import { UserError } from '../../shared/lifecycle.ts';

/** The programs of Kubernetes; null where there is no way to get them. */
export interface KubernetesBinaries {
  apiserver: string | null;
  kubectl: string | null;
}

/**
 * Finds or builds what a loopback cluster runs. It needs nats-server; without the others it runs the rest.
 * @param say is told what takes long, and what is missing
 * @throws UserError when there is no nats-server
 */
export async function findClusterBinaries(say: (line: string) => void): Promise<KubernetesBinaries> {
  await findBinary('nats-server', say);
  const optional = async (name: 'kube-apiserver' | 'kubectl') => {
    try {
      return await findBinary(name, say);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      say(error.message);
      return null;
    }
  };
  return { apiserver: await optional('kube-apiserver'), kubectl: await optional('kubectl') };
}
