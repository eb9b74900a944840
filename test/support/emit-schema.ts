/** Writes schema/schema.graphql; with --check, fails where it is not what the code says. */
import { readFile, writeFile } from 'node:fs/promises';
import { printApiSchema } from '../../src/api/schema.ts';

const file = new URL('../../schema/schema.graphql', import.meta.url);
const sdl = printApiSchema();

if (process.argv.includes('--check')) {
  const there = await readFile(file, 'utf8').catch(() => '');
  if (there !== sdl) {
    process.stderr.write(
      'expected schema/schema.graphql to be the schema of src/api, got another: run npm run schema\n',
    );
    process.exitCode = 1;
  }
} else {
  await writeFile(file, sdl);
}
