import { failed, ok, type Verdict } from '../verdict.ts';
import { judgeNic, type NicReading, readNic, sysfsNet } from './nic.ts';

/** Judges several interfaces: all must be up. The reason names the broken ones. */
export function judgeInterfaces(readings: NicReading[]): Verdict {
  const verdicts = readings.map(judgeNic);
  const broken = verdicts.filter((verdict) => verdict.status === 'failed');
  const value = { interfaces: verdicts.map((verdict) => verdict.value) };
  if (broken.length === 0) return ok(value);
  const first = broken[0]?.value;
  return failed(broken.map((verdict) => verdict.reason).join(', '), { ...value, kind: first?.kind });
}

/** Reads and judges vNICs, VLANs and virtual functions. */
export async function probeVnic(names: string[], sysfsRoot = sysfsNet): Promise<Verdict> {
  return judgeInterfaces(names.map((name) => readNic(sysfsRoot, name)));
}
