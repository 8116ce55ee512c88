import { type ParseArgsConfig, parseArgs } from 'node:util';

/** A command of the developers: its name, and how it is called. */
export interface Command {
  name: string;
  usage: string;
}

/** Reads a command's arguments. `--help` prints the usage and ends it, as does what is not known, with status 2. */
export function readArguments<T extends ParseArgsConfig>(
  command: Command,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  if ((config.args ?? process.argv.slice(2)).includes('--help')) {
    console.log(command.usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    return refuse(command, (error as Error).message.split('. To specify')[0] ?? '');
  }
}

/** Ends a command that was called wrongly. */
export function refuse({ name, usage }: Command, what: string): never {
  console.error(`${name}: ${what}\n\n${usage}`);
  process.exit(2);
}

/** Reads a number of at least `least`, or ends the command. */
export function readNumber(command: Command, name: string, text: string, least = 0): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least)
    return refuse(command, `${name}: "${text}" is no number from ${least} on`);
  return value;
}
