/**
 * Level-triggered work: a trigger while it runs makes it run once more, however many there were, so that nothing which
 * happened before the last trigger goes unseen. `work` does not throw.
 */
export interface Coalesced {
  trigger(): void;
  /** Whether something is running or due. */
  busy(): boolean;
  /** Resolves when nothing is running or due. */
  idle(): Promise<void>;
}

export function coalesce(work: () => Promise<void>): Coalesced {
  let due = false;
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    while (due) {
      due = false;
      await work();
    }
    running = null;
  }

  return {
    trigger() {
      due = true;
      running ??= Promise.resolve().then(run);
    },
    busy: () => running !== null,
    idle: async () => {
      while (running) await running;
    },
  };
}
