/** The first three numbers of a semantic version. */
export type Version = readonly [major: number, minor: number, patch: number];

/** The first version in a text, such as the answer to `--version`; null when there is none. */
export function findVersion(text: string): Version | null {
  const match = /\bv?(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : null;
}

/**
 * Whether a tool is recent enough to stand in for the pinned one: the same major version, and at least its minor version.
 * A patch level behind is fine.
 */
export function isRecentEnough(version: Version, pinned: Version): boolean {
  return version[0] === pinned[0] && version[1] >= pinned[1];
}

export function formatVersion(version: Version): string {
  return version.join('.');
}
