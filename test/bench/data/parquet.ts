/** A synthetic dataset of 50,000 small images as Parquet, against pyarrow writing the same table the same way. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_LIMITS } from '../../../src/adapters/images/limits.ts';
import { localFiles } from '../../../src/adapters/images/local-files.ts';
import { createTableWriter } from '../../../src/adapters/images/parquet.ts';
import { tarMembers } from '../../../src/adapters/images/tar-members.ts';
import { type SyntheticRow } from '../../../src/pipeline/ports.ts';
import { CIFAR10 } from '../../support/shared-data.ts';
import { type BenchCase } from '../bench.ts';
import { median, timeMs } from '../measure.ts';
import { pythonPeers } from '../peers.ts';

const CASE = 'write 50,000 small images as Parquet';
const TURNS = 7;

export async function* parquetCases(wanted: (name: string) => boolean): AsyncGenerator<BenchCase> {
  if (!wanted(CASE)) return;
  const peers = await pythonPeers({ requirements: ['pyarrow==22.0.0'] });
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-bench-'));
  try {
    const { classes, rows } = await cifarRows();
    const { writeSyntheticParquet } = createTableWriter();
    const file = join(folder, 'ours.parquet');
    await writeFile(file, await writeSyntheticParquet({ classes, rows, metadata: {} }));
    const table = join(folder, 'rows');
    await writeFile(`${table}.json`, JSON.stringify({ classes, rows: rows.map(described) }));
    await writeFile(`${table}.bin`, Buffer.concat(rows.map(({ imagePng }) => imagePng)));
    const ours: number[] = [];
    const theirs: number[] = [];
    let read = 0;
    for (let turn = 0; turn < TURNS; turn++) {
      ours.push(await timeMs(() => writeSyntheticParquet({ classes, rows, metadata: {} })));
      const one = (await peers.run('data/parquet.py', [file, table], { threads: 1 })) as { ms: number; read: number };
      theirs.push(one.ms);
      read = one.read;
    }
    if (read !== rows.length) throw new Error(`expected pyarrow to read back ${rows.length} rows, got ${read}`);
    const rate = (ms: readonly number[]) => (rows.length / median(ms)) * 1000;
    yield {
      case: CASE,
      unit: 'images/s',
      ours: rate(ours),
      peers: { pyarrow: rate(theirs) },
      target: 0.5,
      readBackByPyarrow: read,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const described = ({ imagePng, softLabel, ...row }: SyntheticRow) => ({ ...row, softLabel, bytes: imagePng.length });

/** The images of CIFAR-10 as they lie in its archive. */
async function cifarRows(): Promise<{ classes: string[]; rows: SyntheticRow[] }> {
  const classes: string[] = [];
  const rows: SyntheticRow[] = [];
  for await (const member of tarMembers(CIFAR10, { files: localFiles, gzip: true, limits: DEFAULT_LIMITS })) {
    if (member.type !== 'file') continue;
    const name = member.name.split('/').at(-2)!;
    if (!classes.includes(name)) classes.push(name);
    const label = classes.indexOf(name);
    const point = rows.length % 5000;
    const softLabel = Array.from({ length: 10 }, (_, i) => Math.fround(((i * 31 + point) % 97) / 97));
    const weight = Math.fround(1 + (point % 13) / 13);
    rows.push({
      imagePng: Uint8Array.from(member.body!),
      path: `${name}/${String(point).padStart(5, '0')}.png`,
      label,
      weight,
      softLabel,
      point,
      cellCount: (point * 7) % 300,
    });
  }
  return { classes, rows };
}
