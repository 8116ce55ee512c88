/** What must be undone, in the reverse order of its making; also when the making failed half way. */
export class Closers {
  private readonly steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.steps.push(step);
  }

  /** Does every step, even when one fails. */
  async close(): Promise<void> {
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        console.error(`twonode: while stopping: ${(error as Error).message}`);
      }
    }
  }
}
