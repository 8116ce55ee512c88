/** The value of a priority class, null when it is not known. `''` asks for what a pod without a class gets. */
export type PriorityClassValue = (name: string) => number | null;

const systemClasses: Record<string, number> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

/** The two classes that every cluster has; without a class, and without a global default, a pod has 0. */
export function systemClassValue(name: string): number | null {
  return name === '' ? 0 : (systemClasses[name] ?? null);
}
