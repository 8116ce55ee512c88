import { X509Certificate } from 'node:crypto';
import { webhookConfiguration } from '../manifest.ts';
import type { KubernetesApi } from './api.ts';

/** Name of the object; a static manifest has another, and only one of the two is used. */
export const objectName = 'twonode';

/**
 * Registers the webhook in the datastore, for Kubernetes before 1.37. The object is one for both nodes: each keeps its own
 * authorities in it, and leaves those of the other. To do it again writes nothing; it heals what somebody broke or deleted.
 *
 * @param node whose authorities `bundle` has, in PEM
 */
export async function registerObject(
  api: Pick<KubernetesApi, 'webhookConfiguration' | 'applyWebhookConfiguration'>,
  { node, port, bundle, nowMs }: { node: string; port: number; bundle: string; nowMs: number },
): Promise<void> {
  const existing = await api.webhookConfiguration(objectName);
  const known = existing?.webhooks?.[0]?.clientConfig?.caBundle ?? '';
  const merged = mergeBundles(Buffer.from(known, 'base64').toString('utf8'), bundle, node, nowMs);
  await api.applyWebhookConfiguration(objectName, webhookConfiguration(objectName, port, merged));
}

/** The own authorities, after those of others that are still good. What is no certificate is left out. */
export function mergeBundles(existing: string, own: string, node: string, nowMs: number): string {
  const others = (existing.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).filter(
    (pem) => isOthers(pem, node, nowMs),
  );
  return [...new Set([...others, own.trim()])].join('\n');
}

/** The webhook of a node names its authorities `twonode-webhook-ca <node> <time>`. */
function isOthers(pem: string, node: string, nowMs: number): boolean {
  try {
    const { subject, validTo } = new X509Certificate(pem);
    return !subject.startsWith(`CN=twonode-webhook-ca ${node} `) && Date.parse(validTo) > nowMs;
  } catch {
    return false;
  }
}
