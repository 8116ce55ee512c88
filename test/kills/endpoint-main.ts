import { checkListeners, openEndpoint } from '../../services/shim/etcd-endpoint.ts';
import { createLogger } from '../../shared/logger.ts';

// The shim of `twonode etcd` without its nats-server, so that each can be killed alone.
//   node endpoint-main.js CLIENT-URL NATS-URL PASSWORD QUOTA-BYTES FOLDER

const [clientUrl = '', url = '', password = '', quota = '', dataDir = ''] = process.argv.slice(2);
const options = {
  listenClientUrls: [clientUrl],
  dataDir,
  quotaBackendBytes: Number(quota),
  maxRequestBytes: 1.5 * 1024 ** 2,
  watchProgressNotifyIntervalMs: 600_000,
  logLevel: 'warn',
};
await openEndpoint(options, await checkListeners(options), { url, password }, createLogger('etcd', 'warn'));
process.stdout.write('ready\n');
