import { throwIfAborted } from '../../base/abort.ts';
import { type BlobReference } from '../../engine/ports.ts';
import { putBlob } from '../artifacts.ts';
import { type ObjectStore } from '../ports.ts';
import { ChunkCutter, type ChunkSizes } from './chunks.ts';
import { DIGEST_BYTES } from './digest-bytes.ts';
import { parseGroup } from './records.ts';
import { type RecordSorter } from './sort.ts';
import { type StoredRecord } from './stored-record.ts';
import { type DatasetChunk } from './version.ts';

const MEDIA_TYPE = 'application/x-ndjson';

/**
 * Writes the entries blob and cuts it into chunks.
 *
 * @param images sorted by (class name, chunk they stay in, sha256)
 */
export async function writeEntries(
  images: RecordSorter,
  to: { store: ObjectStore; projectId: string; sizes: ChunkSizes; signal?: AbortSignal | undefined },
): Promise<{ entries: BlobReference; chunks: DatasetChunk[] }> {
  const cutter = new ChunkCutter(to.sizes);

  async function* pieces(): AsyncGenerator<Uint8Array> {
    const lines = new EntryLines(cutter);
    for await (const batch of images.sorted()) {
      throwIfAborted(to.signal);
      yield lines.of(batch);
    }
  }

  const entries = await putBlob(to.store, to.projectId, pieces(), MEDIA_TYPE);
  return { entries, chunks: cutter.end() };
}

const BEFORE_DIGEST = '{"sha256":"';
const AFTER_REFERENCE = Buffer.from('}\n');

/** Entries as text, written where it goes: to add up a line and encode it takes half as long again. */
class EntryLines {
  private readonly cutter: ChunkCutter;
  private label = -1;
  private className: string | null = null;
  private groupNumber = -1;
  /** A line up to the reference, with a digest to be written over. */
  private beginning = Buffer.alloc(0);
  private bytes = Buffer.allocUnsafeSlow(0);

  constructor(cutter: ChunkCutter) {
    this.cutter = cutter;
  }

  /** @returns a view that ends with the next call */
  of(batch: readonly StoredRecord[]): Uint8Array {
    let end = 0;
    for (const record of batch) {
      if (record.groupNumber !== this.groupNumber) this.begin(record);
      const { beginning } = this;
      const lineBytes = beginning.length + record.restBytes + AFTER_REFERENCE.length;
      if (end + lineBytes > this.bytes.length) this.grow(end, lineBytes);
      beginning.copy(this.bytes, end);
      record.copyDigest(this.bytes, end + BEFORE_DIGEST.length);
      record.copyRest(this.bytes, end + beginning.length);
      end += lineBytes;
      this.bytes[end - 2] = AFTER_REFERENCE[0]!;
      this.bytes[end - 1] = AFTER_REFERENCE[1]!;
      this.cutter.add(record, lineBytes);
    }
    return this.bytes.subarray(0, end);
  }

  private begin({ group, groupNumber }: StoredRecord): void {
    const { className, keep } = parseGroup(group);
    if (className !== this.className) this.label += 1;
    this.className = className;
    this.groupNumber = groupNumber;
    const { label } = this;
    this.beginning = Buffer.from(`${BEFORE_DIGEST}${'0'.repeat(DIGEST_BYTES)}","label":${label},"reference":`);
    this.cutter.begin({ label, className, keep });
  }

  /** More room behind the first `end` bytes, for so many at least. */
  private grow(end: number, more: number): void {
    const larger = Buffer.allocUnsafeSlow(2 * Math.max(this.bytes.length, end + more));
    this.bytes.copy(larger, 0, 0, end);
    this.bytes = larger;
  }
}
