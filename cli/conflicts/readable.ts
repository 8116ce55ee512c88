/** Runs of printable text of at least this many characters are shown of a binary value. */
const runMin = 4;

/**
 * A stored value as lines that a person can compare: JSON indented, text as it is, and of Kubernetes' protobuf (`k8s\0`) and
 * other binary what is printable in it: names, labels, images, in the order in which they stand.
 */
export function readableLines(value: Buffer): string[] {
  const text = value.toString('utf8');
  if (text.startsWith('{')) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2).split('\n');
    } catch {
      // It only begins like JSON.
    }
  }
  const isText = Buffer.from(text).equals(value) && !/[^\P{C}\n\t\r]/u.test(text);
  if (isText) return text.split('\n');
  return text.split(/[^\P{C}]|\uFFFD/u).filter((run) => run.length >= runMin);
}

/** Both values line by line: what only one side has begins with its sign. Not a full diff: lines are matched in order. */
export function compareLines(kept: readonly string[], other: readonly string[]): string[] {
  const inOther = new Map<string, number>();
  for (const line of other) inOther.set(line, (inOther.get(line) ?? 0) + 1);
  const take = (counts: Map<string, number>, line: string) => {
    const left = counts.get(line) ?? 0;
    if (left > 0) counts.set(line, left - 1);
    return left > 0;
  };
  const inKept = new Map<string, number>();
  for (const line of kept) inKept.set(line, (inKept.get(line) ?? 0) + 1);
  return [
    ...kept.filter((line) => !take(inOther, line)).map((line) => `  = ${line}`),
    ...other.filter((line) => !take(inKept, line)).map((line) => `  ~ ${line}`),
  ];
}
