import { Arg, ID, Int, Resolver, Root, Subscription } from 'type-graphql';
import { invalid, notFound } from '../../base/errors.ts';
import { type RunEventView } from '../../control/views.ts';
import { type ApiContext } from '../context.ts';
import { RunEvent } from '../types/event.ts';

@Resolver()
export class Subscriptions {
  @Subscription(() => RunEvent, {
    description:
      'Events of a run: those after afterSequence, then those to come, in order and without gaps. Completes after the last one. A client that was cut off goes on from the last sequence it saw.',
    subscribe: ({ args, context }) => subscribeRunEvents(args as RunEventsArgs, context as ApiContext),
  })
  runEvents(
    @Root() event: RunEventView,
    @Arg('runId', () => ID, { description: 'The run.' }) _runId: string,
    @Arg('afterSequence', () => Int, { defaultValue: 0, description: 'Sequence of the last event known.' })
    _afterSequence: number,
  ): RunEventView {
    return event;
  }
}

interface RunEventsArgs {
  runId: string;
  afterSequence: number;
}

/** An unknown run is an error of the request, so it is looked for before anything streams. */
async function subscribeRunEvents(
  { runId, afterSequence }: RunEventsArgs,
  { control, principal, loaders }: ApiContext,
): Promise<AsyncIterable<RunEventView>> {
  if (afterSequence < 0)
    throw invalid(`expected afterSequence of 0 or more, got ${afterSequence}: use 0 for all events`);
  if (!(await loaders.run.load(runId))) throw notFound('run', runId);
  const leaving = new AbortController();
  const events = control.runEvents(principal, runId, afterSequence, leaving.signal);
  const iterator: AsyncIterableIterator<RunEventView> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () => events.next(),
    // A generator that waits would answer `return` only when its wait ends.
    return: () => {
      leaving.abort();
      return events.return();
    },
  };
  return iterator;
}
