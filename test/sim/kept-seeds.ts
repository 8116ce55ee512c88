/** Seeds that once found a fault of the product, and what it was. */
export const keptSeeds: readonly { seed: number; found: string }[] = [];
