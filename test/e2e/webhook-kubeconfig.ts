import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';

const rbac = fileURLToPath(new URL('../../../deploy/webhook-rbac.yaml', import.meta.url));

/**
 * Makes the kubeconfig that docs/webhook.md describes: that of an admin, with the token of the webhook's service account. No
 * controller-manager fills the Secret here, so the token is asked for.
 */
export async function writeWebhookKubeconfig(
  kubectl: (args: string[]) => Promise<{ status: number; output: string }>,
  admin: string,
  file: string,
): Promise<void> {
  const succeed = async (...args: string[]) => {
    const { status, output } = await kubectl(args);
    if (status !== 0) throw new Error(output);
    // A warning may stand before it: at first the webhook knows no state.
    return output.trim().split('\n').at(-1) ?? '';
  };
  await succeed('apply', '-f', rbac);
  const token = await succeed('create', 'token', 'twonode-webhook', '-n', 'kube-system');
  const config = parse(readFileSync(admin, 'utf8'));
  for (const each of config.users) each.user = { token };
  writeFileSync(file, stringify(config), { mode: 0o600 });
}
