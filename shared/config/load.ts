import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { configSchema, type TwoNodeConfiguration } from './schema.ts';

/** A configuration file that cannot be used: one line for each fault, `file:line: path: what was expected`. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError';
}

/**
 * Reads and checks a configuration.
 * @param text the YAML text
 * @param file its name, for the error text
 * @throws ConfigurationError
 */
export function parseConfiguration(text: string, file: string): TwoNodeConfiguration {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const syntax = document.errors[0];
  if (syntax) {
    throw new ConfigurationError(
      `${file}:${syntax.linePos?.[0].line ?? 1}: ${syntax.message.split('\n')[0]}`,
    );
  }
  const parsed = configSchema.safeParse(document.toJS());
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap(faultsIn).map(({ path: parts, message }) => {
    const path = parts.filter((part) => typeof part !== 'symbol');
    return `${file}:${lineOf(document, lines, path)}: ${path.join('.') || 'file'}: ${message}`;
  });
  throw new ConfigurationError(faults.join('\n'));
}

/** Where something may be one of several types, what is wrong with the one that was meant: it fails within, not as a whole. */
function faultsIn(issue: z.core.$ZodIssue): Pick<z.core.$ZodIssue, 'path' | 'message'>[] {
  if (issue.code !== 'invalid_union') return [issue];
  const isWithin = ({ path, code }: z.core.$ZodIssue) => path.length > 0 || code === 'unrecognized_keys';
  const meant = issue.errors.find((issues) => issues.some(isWithin));
  return meant?.map(({ path, message }) => ({ path: [...issue.path, ...path], message })) ?? [issue];
}

/** The line of the nearest node on the path that stands in the file: a missing field has the line of its parent. */
function lineOf(document: ReturnType<typeof parseDocument>, lines: LineCounter, path: (string | number)[]) {
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    if (range) return lines.linePos(range[0]).line;
  }
  return 1;
}

/**
 * Reads a configuration file.
 * @throws ConfigurationError also when the file cannot be read
 */
export function loadConfiguration(file: string): TwoNodeConfiguration {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new ConfigurationError(`${file}: cannot read the configuration file (${code})`);
  }
  return parseConfiguration(text, file);
}

/** A short digest of what both nodes must agree on; it travels in the beats. */
export function configurationDigest(config: TwoNodeConfiguration): string {
  return createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 12);
}
