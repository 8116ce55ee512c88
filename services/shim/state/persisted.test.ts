import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySchema } from './persisted.ts';
import { SimulatedPair } from './simulation/pair.ts';
import { formatTrace, type Paragraph, playTrace, readTraces } from './simulation/trace.ts';

/** A restart of the shim, at any point of any trace, changes nothing. */
const traces = readTraces();
const proberSilent = 'prober-silent.txt';

for (const { name, paragraphs } of traces.filter((trace) => trace.name !== proberSilent)) {
  test(`${name}: shims that are restarted at every tick say the same`, () => {
    const pair = new SimulatedPair();
    pair.restartsNow = () => true;
    assert.is(formatTrace(playTrace(pair, paragraphs)), formatTrace(paragraphs));
  });
}

/** The changes of state, without times: a silence is counted from the restart when the shim had not noticed it before. */
function changes(paragraphs: readonly Paragraph[]): string[] {
  const lines = paragraphs.flatMap(({ transcript }) => transcript.split('\n'));
  return lines.flatMap((line) => /node-. \w+ -> \w+/.exec(line)?.[0] ?? []);
}

test(`${proberSilent}: shims that are restarted every 5 s make the same changes`, () => {
  const paragraphs = traces.find((trace) => trace.name === proberSilent)?.paragraphs ?? [];
  const ticks = 50;
  for (let phase = 0; phase < ticks; phase++) {
    const pair = new SimulatedPair();
    let tick = phase;
    pair.restartsNow = () => tick++ % ticks === 0;
    assert.equal(changes(playTrace(pair, paragraphs)), changes(paragraphs), `phase ${phase}`);
  }
});

test('the memory of each moment is readable', () => {
  for (const { paragraphs } of readTraces()) {
    const pair = new SimulatedPair();
    pair.onStep = ({ leader, follower }) => {
      for (const { machine } of [leader, follower]) {
        if (machine)
          assert.equal(memorySchema.parse(JSON.parse(JSON.stringify(machine.memory))), machine.memory);
      }
    };
    playTrace(pair, paragraphs.slice(0, 3));
  }
});

test.run();
