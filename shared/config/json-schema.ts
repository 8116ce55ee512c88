import { z } from 'zod';
import { configSchema } from './schema.ts';

/** The JSON Schema of the configuration file, for editors: made from the schema that reads it. */
export function configurationJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'throw' });
  return { ...schema, title: 'TwoNodeConfiguration' };
}
