/** Bytes from one who writes to one who reads, in pieces of a few recycled buffers. */
export interface Pipe {
  /** Copies bytes. A promise where a buffer must come free first; to be awaited before the next call. */
  write(bytes: Uint8Array): Promise<void> | null;
  /** Hands on the last piece. */
  end(): Promise<void>;
  /** Ends both sides with this error; nothing if they have ended. */
  abandon(error: unknown): void;
  /** To be read once. A piece is valid until the next. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Larger ones than the cache of a core cost more to hash and to write. */
const PIECE_BYTES = 512 * 1024;
/** One is filled, one is written to the disk; the others even out. */
const PIECES = 4;

export function createPipe(): Pipe {
  return new RecycledPipe();
}

/** A class for the reason that the parser of tars is one. */
class RecycledPipe implements Pipe {
  readonly pieces = this.read();
  private readonly free = Array.from({ length: PIECES }, () => Buffer.allocUnsafeSlow(PIECE_BYTES));
  private readonly full: Uint8Array[] = [];
  private filling: Buffer | null = this.free.pop()!;
  private filled = 0;
  private ended = false;
  private failure: { error: unknown } | null = null;
  private wake: (() => void) | null = null;

  write(bytes: Uint8Array, from = 0): Promise<void> | null {
    if (this.failure) return Promise.reject(this.failure.error as Error);
    for (let at = from; at < bytes.length;) {
      this.filling ??= this.free.pop() ?? null;
      if (!this.filling) return this.writeLater(bytes, at);
      const take = Math.min(bytes.length - at, PIECE_BYTES - this.filled);
      this.filling.set(take === bytes.length ? bytes : bytes.subarray(at, at + take), this.filled);
      this.filled += take;
      at += take;
      if (this.filled === PIECE_BYTES) this.hand();
    }
    return null;
  }

  async end(): Promise<void> {
    if (this.filled > 0) this.hand();
    this.ended = true;
    this.changed();
  }

  abandon(error: unknown): void {
    this.failure ??= { error };
    this.changed();
  }

  private async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await this.until(() => this.full.length > 0 || this.ended);
      if (this.failure) throw this.failure.error;
      const piece = this.full.shift();
      if (!piece) return;
      yield piece;
      this.free.push(Buffer.from(piece.buffer as ArrayBuffer));
      this.changed();
    }
  }

  private async writeLater(bytes: Uint8Array, from: number): Promise<void> {
    await this.until(() => this.free.length > 0);
    await this.write(bytes, from);
  }

  private hand(): void {
    this.full.push(this.filling!.subarray(0, this.filled));
    this.filling = null;
    this.filled = 0;
    this.changed();
  }

  private changed(): void {
    this.wake?.();
    this.wake = null;
  }

  /** Of the two sides only one ever waits. */
  private async until(met: () => boolean): Promise<void> {
    while (!met()) {
      if (this.failure) throw this.failure.error;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
