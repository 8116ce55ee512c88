import { type PriorityClassValue, systemClassValue } from '../../../shared/mutation/priority-classes.ts';

/** The part of a PriorityClass that is read here. */
export interface PriorityClassObject {
  metadata?: { name?: string };
  value: number;
  globalDefault?: boolean;
}

/** The priority classes of the cluster, as last read; before that, the two of the system. */
export class PriorityClassValues {
  readonly #values = new Map<string, number>();

  replace(classes: PriorityClassObject[]): void {
    this.#values.clear();
    for (const { metadata, value, globalDefault } of classes) {
      if (metadata?.name) this.#values.set(metadata.name, value);
      if (globalDefault) this.#values.set('', value);
    }
  }

  readonly value: PriorityClassValue = (name) => this.#values.get(name) ?? systemClassValue(name);
}
