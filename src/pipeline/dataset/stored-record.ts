import { beginningOf, compareDigests, DIGEST_BYTES, type DigestBytes } from './digest-bytes.ts';
import { type SortRecord } from './records.ts';

const NOWHERE = Buffer.alloc(0);

/**
 * A record that lies in a buffer: the digest, behind it the rest. What walks along many of them makes no text of each, and may
 * move one view from record to record.
 */
export class StoredRecord implements SortRecord, DigestBytes {
  group = '';
  groupNumber = -1;
  bytes: Buffer = NOWHERE;
  at = 0;
  end = 0;
  beginning = 0;

  /** @param beginning if it is known */
  moveTo(
    group: string,
    groupNumber: number,
    bytes: Buffer,
    at: number,
    end: number,
    beginning = beginningOf(bytes, at),
  ): this {
    this.group = group;
    this.groupNumber = groupNumber;
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.beginning = beginning;
    return this;
  }

  /** The same place. */
  copy(): StoredRecord {
    const { group, groupNumber, bytes, at, end, beginning } = this;
    return new StoredRecord().moveTo(group, groupNumber, bytes, at, end, beginning);
  }

  get sha256(): string {
    return this.bytes.toString('latin1', this.at, this.at + DIGEST_BYTES);
  }

  get rest(): string {
    return this.bytes.toString('utf8', this.at + DIGEST_BYTES, this.end);
  }

  /** In UTF-8. */
  get restBytes(): number {
    return this.end - this.at - DIGEST_BYTES;
  }

  copyDigest(into: Buffer, at: number): void {
    this.bytes.copy(into, at, this.at, this.at + DIGEST_BYTES);
  }

  /** @returns how many bytes */
  copyRest(into: Buffer, at: number): number {
    return this.bytes.copy(into, at, this.at + DIGEST_BYTES, this.end);
  }
}

/** As `compareRecords`, which nearly always ends with the digests. */
export function compareStored(a: StoredRecord, b: StoredRecord): number {
  if (a.groupNumber !== b.groupNumber && a.group !== b.group) return a.group < b.group ? -1 : 1;
  const order = compareDigests(a, b);
  if (order !== 0) return order;
  const [ours, theirs] = [a.rest, b.rest];
  return ours < theirs ? -1 : ours > theirs ? 1 : 0;
}
