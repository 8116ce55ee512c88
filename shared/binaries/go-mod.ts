/**
 * The version of a module which a go.mod requires, as `v2.15.2`.
 * @throws Error when the go.mod does not require it
 */
export function requiredVersion(goMod: string, module: string): string {
  for (const line of goMod.split('\n')) {
    const [path, version] = line
      .replace(/^\s*require\s+/, '')
      .trim()
      .split(/\s+/);
    if (path === module && version?.startsWith('v')) return version;
  }
  throw new Error(`go.mod does not require ${module}`);
}

/** The least Go that a go.mod asks for, as `1.26.0`. */
export function requiredGo(goMod: string): string {
  const match = /^go (\S+)$/m.exec(goMod);
  if (!match?.[1]) throw new Error('go.mod has no go line');
  return match[1];
}
