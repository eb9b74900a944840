import {
  BLOCK,
  createBlock,
  decodeHeader,
  decodePax,
  type Extension,
  type TarHeader,
  type TarType,
  textAt,
} from './tar-header.ts';

export interface TarEntry extends TarHeader {
  /** Where the body begins in the tar. */
  offset: number;
  /** Null of one that was not to be kept. */
  body: Uint8Array | null;
}

/** Takes a tar piece by piece, cut anywhere. */
export interface TarParser {
  /** Bytes taken. */
  readonly position: number;
  /**
   * Adds each member that is now whole. Its body is a view of this piece, or a copy if it began in one before.
   * @throws Error with what it got instead of a tar; after that it is of no more use
   */
  push(piece: Uint8Array, found: TarEntry[]): void;
  /** @throws Error if the tar ends within a member, or not with a block of zeros */
  end(): void;
}

/**
 * Written by hand because the streams that tar-stream makes of the members cost 4 microseconds each, more than it takes to
 * decompress and hash a small image; this costs 0.4 (CIFAR-10, 50,000 members of 1.5 kB).
 *
 * @param maxBodyBytes larger bodies are not kept
 */
export function createTarParser(maxBodyBytes: number): TarParser {
  return new Parser(maxBodyBytes);
}

/** Of an extension, which is kept in memory. */
const MAX_EXTENSION_BYTES = 4 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);
const EXTENSIONS: ReadonlySet<unknown> = new Set<Extension>(['pax', 'pax-global', 'gnu-long-name', 'gnu-long-link']);

/**
 * A class, as is whatever is called for each image: what V8 has learned of a method and compiled stays from one import to the
 * next, of the functions in a function it learns it anew. That was a third of an import of 50,000 images.
 */
class Parser implements TarParser {
  position = 0;
  private readonly maxBodyBytes: number;
  private readonly block = createBlock();
  private filled = 0;
  private zeros = false;
  /** The member whose body goes on, and how much of it and of the padding behind it is to come. */
  private open: TarEntry | null = null;
  private kept = false;
  private parts: Uint8Array[] = [];
  private missing = 0;
  private padding = 0;
  private longName: string | null = null;
  private pax: ReadonlyMap<string, string> | null = null;
  private paxOfAll: ReadonlyMap<string, string> = new Map();

  constructor(maxBodyBytes: number) {
    this.maxBodyBytes = maxBodyBytes;
  }

  push(piece: Uint8Array, found: TarEntry[]): void {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const start = this.position;
    for (let at = 0; at < bytes.length; this.position = start + at) {
      if (this.open !== null) {
        const take = Math.min(this.missing, bytes.length - at);
        const part = bytes.subarray(at, at + take);
        at += take;
        this.missing -= take;
        if (this.missing === 0) this.close(this.open, part, found);
        else if (this.kept) this.parts.push(Buffer.from(part));
      } else if (this.padding > 0) {
        const take = Math.min(this.padding, bytes.length - at);
        at += take;
        this.padding -= take;
      } else {
        const take = Math.min(BLOCK - this.filled, bytes.length - at);
        bytes.copy(this.block.bytes, this.filled, at, at + take);
        at += take;
        this.filled += take;
        if (this.filled < BLOCK) continue;
        this.filled = 0;
        const header = decodeHeader(this.block);
        this.zeros = header === null;
        if (header === null) continue;
        this.open = this.begin(header, start + at);
        if (this.missing === 0) this.close(this.open, NOTHING, found);
      }
    }
  }

  end(): void {
    if (this.open !== null || this.padding > 0 || this.filled > 0) throw new Error('its end within a member');
    if (!this.zeros) throw new Error('its end without a block of zeros');
  }

  private begin(header: TarHeader, offset: number): TarEntry {
    const extension = EXTENSIONS.has(header.type);
    if (extension && header.bytes > MAX_EXTENSION_BYTES) throw new Error(`a header of ${header.bytes} bytes`);
    const { name, type, bytes } = extension ? header : this.extended(header);
    this.kept = extension || bytes <= this.maxBodyBytes;
    this.missing = bytes;
    this.padding = -bytes & (BLOCK - 1);
    return { name, type, bytes, offset, body: null };
  }

  /** The header of a member with what extensions before it say. */
  private extended(header: TarHeader): TarHeader {
    const { longName, pax, paxOfAll } = this;
    if (longName === null && pax === null && paxOfAll.size === 0) return header;
    this.longName = null;
    this.pax = null;
    const told = (key: string) => pax?.get(key) ?? paxOfAll.get(key);
    const size = header.type === 'directory' ? undefined : told('size');
    const bytes = size === undefined ? header.bytes : Number.parseInt(size, 10);
    if (!(bytes >= 0)) throw new Error('a header without a size');
    return { name: told('path') || (longName ?? header.name), type: header.type, bytes };
  }

  /** @param last what of the body is in this piece */
  private close(entry: TarEntry, last: Buffer, found: TarEntry[]): void {
    this.open = null;
    if (this.kept) entry.body = this.parts.length === 0 ? last : Buffer.concat([...this.parts, last]);
    if (this.parts.length > 0) this.parts = [];
    if (!EXTENSIONS.has(entry.type)) found.push(entry);
    else this.extend(entry.type, Buffer.from(entry.body!));
  }

  private extend(type: TarType, body: Buffer): void {
    if (type === 'gnu-long-name') this.longName = textAt(body, 0, body.length);
    else if (type === 'pax') this.pax = decodePax(body);
    else if (type === 'pax-global') this.paxOfAll = decodePax(body);
  }
}
