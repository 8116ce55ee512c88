import { Site } from './site.ts';

/**
 * Starts a site, uses it, and removes it, also when the use fails or somebody interrupts it.
 * @param options.probes see {@link Site.build}
 * @param options.keepLogs leaves the folder of the site and says where it is
 */
export async function withSite<T>(
  options: { probes?: Record<string, object>; keepLogs: boolean },
  use: (site: Site) => Promise<T>,
): Promise<T> {
  const site = await Site.build(options.probes);
  const interrupted = async () => {
    await site.close();
    process.exit(1);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted);
  try {
    await site.start();
    return await use(site);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted);
    await site.close({ keepFolder: options.keepLogs });
    if (options.keepLogs) console.log(`the logs are in ${site.folder}`);
  }
}
