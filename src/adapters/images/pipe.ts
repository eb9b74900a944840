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
  const free = Array.from({ length: PIECES }, () => Buffer.allocUnsafeSlow(PIECE_BYTES));
  const full: Uint8Array[] = [];
  let filling: Buffer | null = free.pop()!;
  let filled = 0;
  let ended = false;
  let failure: { error: unknown } | null = null;
  let wake: (() => void) | null = null;

  const changed = () => {
    wake?.();
    wake = null;
  };
  /** Of the two sides only one ever waits. */
  const until = async (met: () => boolean) => {
    while (!met()) {
      if (failure) throw failure.error;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };

  const hand = () => {
    full.push(filling!.subarray(0, filled));
    filling = null;
    filled = 0;
    changed();
  };

  const write = (bytes: Uint8Array, from = 0): Promise<void> | null => {
    if (failure) return Promise.reject(failure.error as Error);
    for (let at = from; at < bytes.length;) {
      filling ??= free.pop() ?? null;
      if (!filling) return until(() => free.length > 0).then(() => write(bytes, at) ?? undefined);
      const take = Math.min(bytes.length - at, PIECE_BYTES - filled);
      filling.set(take === bytes.length ? bytes : bytes.subarray(at, at + take), filled);
      filled += take;
      at += take;
      if (filled === PIECE_BYTES) hand();
    }
    return null;
  };

  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      await until(() => full.length > 0 || ended);
      if (failure) throw failure.error;
      const piece = full.shift();
      if (!piece) return;
      yield piece;
      free.push(Buffer.from(piece.buffer as ArrayBuffer));
      changed();
    }
  }

  return {
    write,
    async end() {
      if (filled > 0) hand();
      ended = true;
      changed();
    },
    abandon(error) {
      failure ??= { error };
      changed();
    },
    pieces: pieces(),
  };
}
