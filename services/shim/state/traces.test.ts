import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SimulatedPair } from './simulation/pair.ts';

/**
 * Traces in the manner of etcd-raft's datadriven tests: paragraphs of commands, `----`, and the transcript that they give.
 * `TWONODE_REWRITE=1` writes the transcripts anew; read the difference before committing it.
 */
const folder = 'services/shim/state/testdata';

interface Paragraph {
  commands: string[];
  expected: string;
}

function parse(text: string): Paragraph[] {
  return text
    .trim()
    .split(/\n\n+/)
    .map((paragraph) => {
      const [commands = '', expected = ''] = paragraph.split(/^----$/m);
      return { commands: commands.trim().split('\n'), expected: expected.trimEnd().replace(/^\n/, '') };
    });
}

function play(pair: SimulatedPair, commands: string[]): string {
  for (const line of commands) {
    if (!line.startsWith('#')) pair.run(line);
  }
  return pair.transcript.splice(0).join('\n');
}

for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
  test(`trace ${file}`, () => {
    const path = join(folder, file);
    const paragraphs = parse(readFileSync(path, 'utf8'));
    const pair = new SimulatedPair();
    const played = paragraphs.map(({ commands }) => ({ commands, expected: play(pair, commands) }));
    if (process.env.TWONODE_REWRITE === '1') {
      const text = played.map(({ commands, expected }) => `${commands.join('\n')}\n----\n${expected}`);
      writeFileSync(path, `${text.map((paragraph) => paragraph.trimEnd()).join('\n\n')}\n`);
    } else {
      for (const [index, { expected }] of played.entries()) assert.is(expected, paragraphs[index]?.expected);
    }
  });
}

test.run();
