import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../shared/config/duration.ts';

/** Flags of `twonode etcd`; they have etcd's names, and commander's camel case. */
interface EtcdFlags {
  listenClientUrls: string[];
  dataDir: string;
  quotaBackendBytes: number;
  maxRequestBytes: number;
  watchProgressNotifyInterval: number;
  certFile?: string;
  keyFile?: string;
  trustedCaFile?: string;
  clientCertAuth?: boolean;
  listenMetricsUrls?: string;
  logLevel: string;
}

const quotaDefaultBytes = 2 * 1024 ** 3;

export function etcdCommand(): Command {
  return new Command('etcd')
    .description('serve the etcd v3 API from this machine alone: no peer, no configuration file')
    .option(
      '--listen-client-urls <urls>',
      'http, https, unix or unixs URLs to listen on, with commas between',
      (text: string) => text.split(','),
      ['http://127.0.0.1:2379'],
    )
    .option('--listen-metrics-urls <url>', 'http URL for /metrics, /healthz and /readyz')
    .option('--data-dir <folder>', 'folder for the store', 'default.etcd')
    .option(
      '--quota-backend-bytes <bytes>',
      'size at which the NOSPACE alarm is raised',
      bytes,
      quotaDefaultBytes,
    )
    .option('--max-request-bytes <bytes>', 'largest request that is accepted', bytes, 1.5 * 1024 ** 2)
    .option(
      '--watch-progress-notify-interval <duration>',
      'time between progress notices',
      durationMs,
      600_000,
    )
    .option('--cert-file <file>', 'certificate of the server, for https URLs')
    .option('--key-file <file>', 'key of the server')
    .option('--trusted-ca-file <file>', 'CA that signs the certificates of clients')
    .option('--client-cert-auth', 'clients must show a certificate')
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .action(async ({ watchProgressNotifyInterval, listenMetricsUrls, ...flags }: EtcdFlags) => {
      const { runEtcd } = await import('../../services/shim/etcd-endpoint.ts');
      await runEtcd({
        ...flags,
        ...(listenMetricsUrls === undefined ? {} : { listenMetricsUrl: listenMetricsUrls }),
        // As with etcd, 0 is the default.
        quotaBackendBytes: flags.quotaBackendBytes || quotaDefaultBytes,
        watchProgressNotifyIntervalMs: watchProgressNotifyInterval,
      });
    });
}

function bytes(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('expected a number of bytes.');
  return value;
}

function durationMs(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}
