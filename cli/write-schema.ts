import { writeFileSync } from 'node:fs';
import { configurationJsonSchema } from '../shared/config/json-schema.ts';

// npm run schema
const file = new URL('../../deploy/twonode.schema.json', import.meta.url);
writeFileSync(file, `${JSON.stringify(configurationJsonSchema(), null, 2)}\n`);
