/** etcd's alarms (`AlarmType`) that twonode raises. */
export type AlarmType = 'NOSPACE';

/** Something that an operator must see to, and then disarm (`etcdctl alarm disarm`). */
export interface Alarm {
  /** The member that is concerned. */
  memberId: bigint;
  type: AlarmType;
}

/** The alarms that are raised. They stand in the log, so that a restart keeps them. */
export class Alarms {
  #raised: Alarm[] = [];

  raised(): readonly Alarm[] {
    return this.#raised;
  }

  isRaised(type: AlarmType): boolean {
    return this.#raised.some((alarm) => alarm.type === type);
  }

  /** Returns false when it was raised before. */
  raise({ memberId, type }: Alarm): boolean {
    if (this.#raised.some((alarm) => alarm.memberId === memberId && alarm.type === type)) return false;
    this.#raised.push({ memberId, type });
    return true;
  }

  /** Returns false when it was not raised. */
  disarm({ memberId, type }: Alarm): boolean {
    const left = this.#raised.filter((alarm) => alarm.memberId !== memberId || alarm.type !== type);
    const changed = left.length < this.#raised.length;
    this.#raised = left;
    return changed;
  }
}
