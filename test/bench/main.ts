/** `npm run bench -- NAME [TEXT]` prints a JSON line for each case of a bench; with TEXT, for those whose name has it. */
import { readdir } from 'node:fs/promises';
import { type Bench, toLine } from './bench.ts';

const [name, text = ''] = process.argv.slice(2);
const names = (await readdir(import.meta.dirname))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length))
  .sort();
const load = async (one: string) => ((await import(`./${one}.bench.ts`)) as { bench: Bench }).bench;

if (name === undefined || !names.includes(name)) {
  for (const one of names) console.error(`${one.padEnd(12)} ${(await load(one)).about}`);
  console.error(`expected one of these benches, got ${name ?? 'none'}: npm run bench -- NAME [TEXT OF A CASE]`);
  process.exit(2);
}

const bench = await load(name);
const wanted = (one: string) => one.includes(text);
let behind = 0;
let cases = 0;
for await (const measured of bench.cases(wanted)) {
  if (!wanted(measured.case)) continue;
  const line = toLine(name, measured);
  console.log(JSON.stringify(line));
  cases += 1;
  if (!line.met) behind += 1;
}
console.error(`${cases} cases, ${behind} short of their figure`);
