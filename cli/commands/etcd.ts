import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../../shared/config/duration.ts';
import { UserError } from '../../shared/lifecycle.ts';

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
  logLevel: string;
}

export function etcdCommand(): Command {
  return new Command('etcd')
    .description('serve the etcd v3 API from this machine alone: no peer, no configuration file')
    .option('--listen-client-urls <urls>', 'URLs to listen on, with commas between', clientUrls, [
      'http://127.0.0.1:2379',
    ])
    .option('--data-dir <folder>', 'folder for the store', 'default.etcd')
    .option(
      '--quota-backend-bytes <bytes>',
      'size at which the NOSPACE alarm is raised',
      bytes,
      2 * 1024 ** 3,
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
    .action(async ({ watchProgressNotifyInterval, ...flags }: EtcdFlags) => {
      checkTls(flags);
      const { runEtcd } = await import('../../services/shim/etcd-endpoint.ts');
      await runEtcd({ ...flags, watchProgressNotifyIntervalMs: watchProgressNotifyInterval });
    });
}

/** @throws UserError when the flags about certificates do not go together */
function checkTls(flags: Omit<EtcdFlags, 'watchProgressNotifyInterval'>): void {
  const { certFile, keyFile, trustedCaFile, clientCertAuth, listenClientUrls } = flags;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new UserError('--cert-file and --key-file go together: one of them is missing');
  }
  if (clientCertAuth && !trustedCaFile) throw new UserError('--client-cert-auth needs --trusted-ca-file');
  const https = listenClientUrls.find((url) => url.startsWith('https:'));
  if (https && !certFile) throw new UserError(`${https} needs --cert-file and --key-file`);
}

function clientUrls(text: string): string[] {
  const urls = text.split(',');
  for (const url of urls) {
    const parsed = URL.canParse(url) ? new URL(url) : null;
    if (!parsed || !['http:', 'https:', 'unix:'].includes(parsed.protocol)) {
      throw new InvalidArgumentError(`expected URLs such as http://127.0.0.1:2379, not "${url}".`);
    }
  }
  return urls;
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
