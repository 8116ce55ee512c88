import { readFileSync } from 'node:fs';

// Loaded into the services of one machine (NODE_OPTIONS=--import): their wall clock is off by what a file says, in milliseconds.

const file = process.env.TWONODE_TEST_CLOCK ?? '';
const lookEveryMs = 100;
const RealDate = Date;

function offsetMs(): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

let stepMs = offsetMs();
setInterval(() => {
  stepMs = offsetMs();
}, lookEveryMs).unref();

const now = () => RealDate.now() + stepMs;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args),
  apply: () => new RealDate(now()).toString(),
  get: (target, property, receiver) => (property === 'now' ? now : Reflect.get(target, property, receiver)),
});
