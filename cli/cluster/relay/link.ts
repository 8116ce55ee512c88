/** The state of the link that all relays of a cluster share. */
export interface Link {
  /** While it is cut nothing passes, and nobody is told: packets are lost, connections hang. */
  readonly isCut: boolean;
  /** Calls `listener` at each change, until the function that it returns is called. */
  onChange(listener: (isCut: boolean) => void): () => void;
}

/** A {@link Link} with its switch. */
export interface SwitchedLink extends Link {
  set(isCut: boolean): void;
}

export function createLink(): SwitchedLink {
  const listeners = new Set<(isCut: boolean) => void>();
  let isCut = false;
  return {
    get isCut() {
      return isCut;
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set: (next) => {
      if (isCut === next) return;
      isCut = next;
      for (const listener of [...listeners]) listener(isCut);
    },
  };
}

/** A port of one node as its peer reaches it, and where the node really listens. */
export interface Route {
  protocol: 'tcp' | 'udp';
  from: { host: string; port: number };
  to: { host: string; port: number };
}
