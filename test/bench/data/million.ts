/** Imports a million synthetic images in this process, and prints its peak memory. Started by manifest.ts. */
import { hash } from 'node:crypto';
import { createDirectoryStore } from '../../../src/adapters/storage/directory.ts';
import { importDataset } from '../../../src/pipeline/dataset/import.ts';
import { type ScannedImage, type SourceScanner } from '../../../src/pipeline/ports.ts';

const [root, count] = [process.argv[2]!, Number(process.argv[3])];
const CLASSES = 1000;
const BATCH = 250;

/** Names and sizes as those of ImageNet, in the order of its tars. */
async function* images(): AsyncGenerator<ScannedImage[]> {
  for (let from = 0; from < count; from += BATCH) {
    yield Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => image(from + i));
  }
}

function image(i: number): ScannedImage {
  const className = `n${String(1_440_764 + Math.floor((i * CLASSES) / count)).padStart(8, '0')}`;
  const sha256 = hash('sha256', String(i));
  const path = `train/${className}/${className}_${i}.JPEG`;
  return { className, sha256, reference: { source: 0, path, bytes: 110_000, offset: i * 111_104 } };
}

const scanner: SourceScanner = {
  scan: async () => ({
    images: images(),
    summary: () => ({
      ...{ format: 'tar', sources: [], emptyClasses: [], split: null, splits: [] },
      ignored: { count: 0, examples: [] },
    }),
  }),
};
const store = createDirectoryStore({ root, signingSecret: 'bench', publicUrl: () => '' });
const request = { scanner, store, projectId: 'bench', path: '/synthetic', tempDir: `${root}/temporary` };
let told = 0;
const onProgress = ({ images: at }: { images: number }) => {
  told += 1;
  if (told % 500 === 0) process.stderr.write(`${at} of ${count} images\n`);
};
const made = await importDataset({ ...request, onProgress });
if (made.images !== count) throw new Error(`expected ${count} images, got ${made.images}`);
console.log(JSON.stringify({ peakMb: process.resourceUsage().maxRSS / 1024, seconds: process.uptime(), told }));
