import { type V1Job, type V1Pod } from '@kubernetes/client-node';
import { type Clock } from '../../base/clock.ts';
import { toErrorRecord } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import {
  type AttemptHandle,
  type AttemptObserver,
  type AttemptOrder,
  type AttemptOutcome,
  type Failure,
} from '../../engine/ports.ts';
import { type Cluster } from './cluster.ts';
import { failureOfStuck } from './failure.ts';
import { type Ending } from './settle.ts';
import { type Mirror } from './mirror.ts';
import { indexOf, spanOf, verdictOf, type Verdict } from './verdict.ts';

/** A Job of this process: its attempts by completion index, until the outcome of each is recorded. */
export interface JobWatch {
  /** Takes an index over. */
  attach(index: number, order: AttemptOrder, observer: AttemptObserver): AttemptHandle;
  /** A pod of it went; this is how it was last. */
  gone(pod: V1Pod): void;
  /** Looks at what the cluster shows, and does what follows from it. */
  look(): void;
  /** Of an attempt of this run that has yet to end, or null. */
  observerOf(attemptId: string, runId: string): AttemptObserver | null;
  /** Whether all that is left to do is to delete it. */
  isRecorded(): boolean;
}

interface Slot {
  order: AttemptOrder;
  observer: AttemptObserver;
  resolve(outcome: AttemptOutcome): void;
  state: 'open' | 'settling' | 'settled' | 'recorded';
  cancelled: boolean;
  /** Why its pod is being stopped by us. */
  condemned: Failure | null;
  /** When each of its pods began and ended, by uid, in milliseconds. */
  spans: Map<string, { start: number; end: number | null }>;
  /** Its pods that are not there any more: the Job may tell of their end later than they go. */
  gone: V1Pod[];
}

export interface JobWatchOptions {
  name: string;
  cluster: Cluster;
  jobs: Mirror<V1Job>;
  pods: Mirror<V1Pod>;
  /** Makes an outcome of what was seen. Never rejects. */
  settle(ending: Ending): Promise<AttemptOutcome>;
  /** Whether the cluster has answered lately. */
  hears(): boolean;
  deadlines: { imagePullMs: number; unschedulableMs: number };
  /** Called once nothing of it is needed or there any more. */
  onDone(): void;
  /** Called once all that is left of it is for another service. */
  onLeft(): void;
  clock: Clock;
  log: Log;
}

export function watchJob(options: JobWatchOptions): JobWatch {
  const { name, cluster, jobs, pods, clock, deadlines } = options;
  const log = options.log.with({ job: name });
  const slots = new Map<number, Slot>();
  /** Deletions that the cluster was asked for, so that each is asked for once. */
  const asked = new Set<string>();
  let done = false;
  /** Some of it goes on without this service, so the Job stays. */
  let left = false;

  function look(): void {
    if (done) return;
    const job = jobs.get(name);
    const byIndex = Map.groupBy(pods.group(name), indexOf);
    const open = [...slots.values()].filter((slot) => slot.state === 'open');
    const unwanted = open.length > 0 && open.every((slot) => slot.cancelled);
    if (unwanted && job) deleteJob(job);
    for (const [index, slot] of slots) {
      const own = byIndex.get(index) ?? [];
      note(slot, own);
      const verdict = verdictOf(index, job, own, slot.gone);
      if (slot.state === 'open') act(slot, job, verdict, unwanted);
      else if (slot.cancelled && 'active' in verdict) verdict.active.forEach(deletePod);
    }
    if (left) return endIfLeft();
    if (!isRecorded()) return;
    if (job) return deleteJob(job);
    if (byIndex.size > 0) return;
    done = true;
    options.onDone();
  }

  const allRecorded = () => [...slots.values()].every((slot) => slot.state === 'recorded');
  const isRecorded = () => !left && allRecorded();

  function endIfLeft(): void {
    if (done || !allRecorded()) return;
    done = true;
    options.onLeft();
  }

  function act(slot: Slot, job: V1Job | undefined, verdict: Verdict, unwanted: boolean): void {
    if (!('active' in verdict)) return settle(slot, verdict);
    // Between the end of its pod and the Job's word on that it does not wait.
    if (verdict.active.length > 0 || slot.spans.size === 0 || job?.spec?.suspend) {
      slot.observer.waiting(verdict.kind === 'waiting' ? verdict.reason : null);
    }
    // An index that never had a pod, of a Job that goes on: should it get one, that is deleted.
    if (slot.cancelled && !unwanted && verdict.active.length === 0) return settle(slot, verdict);
    if (verdict.kind === 'waiting' && verdict.stuck && !slot.condemned) {
      const limit = verdict.stuck.class === 'imagePull' ? deadlines.imagePullMs : deadlines.unschedulableMs;
      const waited = clock.now().getTime() - verdict.stuck.since.getTime();
      if (waited >= limit) slot.condemned = failureOfStuck(verdict.stuck, verdict.reason, waited);
    }
    if (slot.cancelled || slot.condemned) verdict.active.forEach(deletePod);
  }

  function settle(slot: Slot, verdict: Verdict): void {
    slot.state = 'settling';
    const { order, cancelled, condemned } = slot;
    void options.settle({ order, verdict, cancelled, condemned, allocatedSeconds: secondsOf(slot) }).then((outcome) => {
      slot.state = 'settled';
      slot.resolve(outcome);
    });
  }

  function note(slot: Slot, own: readonly V1Pod[]): void {
    const now = clock.now().getTime();
    for (const pod of own) {
      const span = spanOf(pod);
      if (!span) continue;
      slot.spans.set(pod.metadata!.uid!, { start: span.start.getTime(), end: span.end?.getTime() ?? null });
    }
    const there = new Set(own.map((pod) => pod.metadata!.uid!));
    for (const [uid, span] of slot.spans) if (span.end === null && !there.has(uid)) span.end = now;
  }

  function secondsOf({ spans }: Slot): number {
    const now = clock.now().getTime();
    return [...spans.values()].reduce((sum, { start, end }) => sum + Math.max(0, (end ?? now) - start) / 1000, 0);
  }

  function deleteJob({ metadata }: V1Job): void {
    if (metadata?.deletionTimestamp) return;
    once(`job ${metadata!.uid!}`, () => cluster.deleteJob(name));
  }

  function deletePod({ metadata }: V1Pod): void {
    if (metadata?.deletionTimestamp) return;
    once(`pod ${metadata!.uid!}`, () => cluster.deletePod(metadata!.name!));
  }

  /** One that fails is asked for again at the next look. */
  function once(what: string, ask: () => Promise<void>): void {
    if (asked.has(what)) return;
    asked.add(what);
    void ask().catch((error: unknown) => {
      asked.delete(what);
      log.warn(`a deletion failed (${what}); trying again`, { error: toErrorRecord(error) });
    });
  }

  return {
    look,
    gone: (pod) => void slots.get(indexOf(pod))?.gone.push(pod),
    attach(index, order, observer) {
      const { promise: outcome, resolve } = Promise.withResolvers<AttemptOutcome>();
      const slot: Slot = {
        ...{ order, observer, resolve, state: 'open', cancelled: false, condemned: null },
        spans: new Map(),
        gone: [],
      };
      slots.set(index, slot);
      const soon = () => queueMicrotask(look);
      return {
        reference: { job: name, index },
        outcome,
        alive: () => slot.state === 'open' && options.hears(),
        cancel() {
          if (slot.state !== 'open') return;
          slot.cancelled = true;
          soon();
        },
        recorded() {
          slot.state = 'recorded';
          soon();
        },
        leave() {
          if (slot.state !== 'open' || slot.cancelled) return false;
          slots.delete(index);
          left = true;
          endIfLeft();
          return true;
        },
      };
    },
    observerOf(attemptId, runId) {
      for (const { order, observer, state } of slots.values()) {
        if (state === 'open' && order.attemptId === attemptId && order.runId === runId) return observer;
      }
      return null;
    },
    isRecorded,
  };
}
