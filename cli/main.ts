import { exitStatus, reportError } from './errors.ts';
import { createProgram } from './program.ts';

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  reportError(error);
  process.exit(exitStatus(error));
}
