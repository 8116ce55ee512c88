import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SimulatedPair } from './pair.ts';

/**
 * Traces in the manner of etcd-raft's datadriven tests: paragraphs of commands, `----`, and the transcript that they give.
 * Paths are relative to the root of the repository, where tests run.
 */
const folder = 'services/shim/state/testdata';

export interface Paragraph {
  readonly commands: readonly string[];
  readonly transcript: string;
}

export interface Trace {
  readonly name: string;
  readonly path: string;
  readonly paragraphs: readonly Paragraph[];
}

export function readTraces(): Trace[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'));
  return names.map((name) => {
    const path = join(folder, name);
    return { name, path, paragraphs: parseTrace(readFileSync(path, 'utf8')) };
  });
}

function parseTrace(text: string): Paragraph[] {
  return text
    .trim()
    .split(/\n\n+/)
    .map((paragraph) => {
      const [commands = '', transcript = ''] = paragraph.split(/^----$/m);
      return { commands: commands.trim().split('\n'), transcript: transcript.trimEnd().replace(/^\n/, '') };
    });
}

export function formatTrace(paragraphs: readonly Paragraph[]): string {
  const texts = paragraphs.map(({ commands, transcript }) =>
    `${commands.join('\n')}\n----\n${transcript}`.trimEnd(),
  );
  return `${texts.join('\n\n')}\n`;
}

/** Plays a trace; the same paragraphs, with the transcripts of this time. */
export function playTrace(pair: SimulatedPair, paragraphs: readonly Paragraph[]): Paragraph[] {
  return paragraphs.map(({ commands }) => {
    for (const line of commands) if (!line.startsWith('#')) pair.run(line);
    return { commands, transcript: pair.transcript.splice(0).join('\n') };
  });
}
