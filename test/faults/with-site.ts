import { Site, type SiteOptions } from './site.ts';

/** The sites in use, to be removed also when somebody interrupts the run. */
const open = new Set<Site>();
const signals = ['SIGINT', 'SIGTERM'] as const;

async function interrupted(): Promise<void> {
  await Promise.all([...open].map((site) => site.close()));
  process.exit(1);
}

/**
 * Starts a site, uses it, and removes it, also when the use fails or somebody interrupts it.
 * @param options.keepLogs leaves the folder of the site and says where it is
 */
export async function withSite<T>(
  options: SiteOptions & { keepLogs: boolean },
  use: (site: Site) => Promise<T>,
): Promise<T> {
  const site = await Site.build(options);
  if (open.size === 0) for (const signal of signals) process.once(signal, interrupted);
  open.add(site);
  try {
    await site.start();
    return await use(site);
  } finally {
    open.delete(site);
    if (open.size === 0) for (const signal of signals) process.off(signal, interrupted);
    await site.close({ keepFolder: options.keepLogs });
    if (options.keepLogs) console.log(`the logs are in ${site.folder}`);
  }
}
