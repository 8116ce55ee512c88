/** The keys of the workload: what may be written alone, and what may not. */
export const keys = {
  all: { key: '/registry/', rangeEnd: '/registry0' },
  /** On the approved list: a LeaderRX takes it. Each is written once. */
  own: (client: string, count: number) => `/registry/configmaps/default/${client}-${count}`,
  /** On the approved list, written by all. */
  shared: (count: number) => `/registry/configmaps/default/shared-${count}`,
  /** On the approved list, and on a lease: gone when that ends, on whichever node. */
  leased: (client: string, count: number) => `/registry/configmaps/leased/${client}-${count}`,
  /** On no list. */
  unlisted: (count: number) => `/registry/deployments/default/app-${count}`,
} as const;

export function isLeased(key: string): boolean {
  return key.startsWith('/registry/configmaps/leased/');
}

export function isListed(key: string): boolean {
  return key.startsWith('/registry/configmaps/');
}
