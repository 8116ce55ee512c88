import { writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SimulatedPair } from './simulation/pair.ts';
import { formatTrace, playTrace, readTraces } from './simulation/trace.ts';

// `TWONODE_REWRITE=1` writes the transcripts anew: read the difference before committing it.
for (const { name, path, paragraphs } of readTraces()) {
  test(`trace ${name}`, () => {
    const played = playTrace(new SimulatedPair(), paragraphs);
    if (process.env.TWONODE_REWRITE === '1') writeFileSync(path, formatTrace(played));
    else assert.is(formatTrace(played), formatTrace(paragraphs));
  });
}

test.run();
