/** Tells the service how far an attempt is. What cannot be told is left out: the next tells more. */
export interface ProgressReports {
  tell(itemsDone: number): void;
  end(): void;
}

const EVERY_MS = 1_000;
const LIMIT_MS = 5_000;

/** @param to null: nobody is told */
export function createProgressReports(
  to: { url: string; token: string; attemptId: string } | null,
  fetchOf: typeof fetch = fetch,
): ProgressReports {
  const ending = new AbortController();
  let latest: number | null = null;
  let timer: NodeJS.Timeout | null = null;

  /** The newest is sent, at most once in a while. */
  async function send(): Promise<void> {
    if (!to || latest === null || ending.signal.aborted) return;
    const itemsDone = latest;
    latest = null;
    const url = `${to.url}/attempts/${encodeURIComponent(to.attemptId)}/progress`;
    await fetchOf(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${to.token}` },
      body: JSON.stringify({ itemsDone }),
      signal: AbortSignal.any([ending.signal, AbortSignal.timeout(LIMIT_MS)]),
    }).catch(() => {});
  }

  function schedule(): void {
    timer = setTimeout(() => {
      timer = null;
      if (latest !== null) schedule();
      void send();
    }, EVERY_MS);
    timer.unref();
  }

  return {
    tell(itemsDone) {
      latest = itemsDone;
      if (timer) return;
      schedule();
      void send();
    },
    end() {
      if (timer) clearTimeout(timer);
      ending.abort();
    },
  };
}
