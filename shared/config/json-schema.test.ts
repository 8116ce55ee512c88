import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configurationJsonSchema } from './json-schema.ts';
import { loadConfiguration } from './load.ts';

const deploy = (file: string) => new URL(`../../../deploy/${file}`, import.meta.url);

test('the shipped schema is that of the code; "npm run schema" writes it', () => {
  assert.equal(JSON.parse(readFileSync(deploy('twonode.schema.json'), 'utf8')), configurationJsonSchema());
});

test('every field has a sentence', () => {
  const visit = (path: string, schema: Record<string, unknown>) => {
    const properties = (schema.properties ?? {}) as Record<string, Record<string, unknown>>;
    for (const [name, property] of Object.entries(properties)) {
      const isConstant = 'const' in property;
      assert.ok(isConstant || property.description || property.properties, `${path}${name}`);
      visit(`${path}${name}.`, property);
      visit(`${path}${name}[].`, (property.items ?? {}) as Record<string, unknown>);
    }
  };
  visit('', configurationJsonSchema() as Record<string, unknown>);
});

test('the example configuration is valid', () => {
  const config = loadConfiguration(deploy('twonode.yaml').pathname);
  assert.equal(
    config.nodes.map(({ role }) => role),
    ['leader', 'follower'],
  );
});

test.run();
