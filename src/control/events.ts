import { type Clock } from '../base/clock.ts';
import { notFound } from '../base/errors.ts';
import { isFinal } from '../engine/index.ts';
import { type EngineControl, type ProjectCatalog } from './ports.ts';
import { type RunEventView } from './views.ts';

const BATCH = 200;
/** A wake-up that got lost (another process made the event) costs at most this. */
const POLL_MS = 1000;

/**
 * The events of a run above `after`, in order and without gaps, then those to come; ends after the last one.
 * The table alone says what happened: a wake-up only says when to look, so nothing falls between replay and live.
 */
export async function* followEvents(
  of: { catalog: Pick<ProjectCatalog, 'events'>; engine: Pick<EngineControl, 'events'>; clock: Clock },
  runId: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<RunEventView, void> {
  let last = after;
  let wakeUp = new AbortController();
  const unsubscribe = of.engine.events.subscribe((changed) => {
    if (changed === runId) wakeUp.abort();
  });
  const onAbort = () => wakeUp.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      // Armed before the read: an event committed during it wakes the sleep below.
      wakeUp = new AbortController();
      const found = await of.catalog.events(runId, last, BATCH);
      if (!found) throw notFound('run', runId);
      for (const event of found.events) {
        last = event.sequence;
        yield event;
      }
      if (found.events.length === BATCH) continue;
      if (isFinal('run', found.run.state) && last >= found.run.eventSequence) return;
      if (!signal.aborted) await of.clock.sleep(POLL_MS, wakeUp.signal);
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', onAbort);
  }
}
