/** What retention needs of the database. Implemented by adapters/database/retention.ts. */
import { type Page, type PageRequest } from '../paging.ts';
import { type ArtifactView, type DoomReason } from '../views.ts';
import { type RetentionPolicy } from './policy.ts';

export type { RetentionPolicy } from './policy.ts';

/**
 * Every decision about bytes is made under the lock of its project, which whoever records an artifact, launches a run or
 * pins shares: they see a decision whole or not at all.
 */
export interface RetentionStore {
  /** Projects that have a policy, or deletions that were begun and not ended (`interrupted`). */
  projects(): Promise<{ projectId: string; interrupted: boolean }[]>;
  /** One pass at a time: null while another holds it. Ends with the process that holds it, however that ends. */
  claimPass(projectId: string): Promise<PassClaim | null>;
  project(projectId: string): ProjectRetention;
}

export interface PassClaim {
  /** Aborts where it ends before it is released: another pass may begin, so this one has to stop. */
  lost: AbortSignal;
  release(): Promise<void>;
}

export interface ProjectRetention {
  policy(): Promise<StoredPolicy | null>;
  /** Null takes it away, and nothing is doomed any more. */
  setPolicy(policy: RetentionPolicy | null, by: string): Promise<void>;

  /** Null: no such artifact. @throws ARTIFACT_DELETED */
  pin(artifactId: string, note: string, by: string): Promise<PinView | null>;
  /** False: no such artifact. One without a pin is no error. */
  unpin(artifactId: string): Promise<boolean>;

  /** What the policy would doom now, and what it has doomed already. */
  plan(policy: RetentionPolicy, now: Date): Promise<PlanTotals>;
  /** The same one by one, in the order of their ids. */
  planItems(policy: RetentionPolicy, now: Date, page: PageRequest): Promise<Page<PlanItem>>;

  /** Dooms what the policy does not keep, and rescues what it does. Stops between batches when the signal aborts. */
  mark(policy: RetentionPolicy, now: Date, signal: AbortSignal): Promise<{ doomed: Tally; rescued: number }>;
  /**
   * Makes up to `limit` artifacts DELETED that have been DOOMED since before `doomedBefore`, and condemns their manifests
   * and the blobs that no other artifact names. In one transaction: from here on nobody can find them published.
   */
  deleteDoomed(doomedBefore: Date, now: Date, limit: number): Promise<Condemned & { artifacts: number; bytes: number }>;
  /**
   * Makes these artifacts DELETED, whether DOOMED or not, and condemns as `deleteDoomed` does. Nothing where one of them is held.
   * Those that are DELETED already are passed.
   */
  invalidate(
    ids: readonly string[],
    because: string,
    now: Date,
  ): Promise<{ held: Held } | (Condemned & { artifacts: number; bytes: number })>;
  /**
   * Condemns those of the objects that nothing refers to: manifests without a row, unless a task in flight is about to
   * find or publish them, and blobs that no manifest names. No blob while an import is under way, which may be about to
   * name it.
   */
  condemnOrphans(orphans: Orphans): Promise<Condemned>;
  /** Takes over deletions that were begun more than `afterMs` ago by someone who did not end them. */
  takeInterrupted(afterMs: number, limit: number): Promise<Condemned>;
  /** The objects were seen gone; one whose deletion was taken over stays condemned until that is done. */
  confirmGone(sweep: string, keys: readonly string[]): Promise<void>;
  /** Forgets objects that have been gone for longer than anyone who looked before could still be about to record them. */
  forgetGone(afterMs: number): Promise<void>;

  lastSweep(): Promise<Date | null>;
  swept(at: Date): Promise<void>;
  importing(): Promise<boolean>;
  /** When the oldest attempt that was not seen gone began, which may be about to publish what it wrote. Null: none runs. */
  attemptsSince(): Promise<Date | null>;
  /** Artifacts that are not DELETED, ascending by id, after this one. */
  manifests(after: string, limit: number): Promise<string[]>;
  /** Blobs that artifacts name, ascending by digest, after this one. */
  blobs(after: string, limit: number): Promise<{ sha256: string; bytes: number }[]>;
  /**
   * Files of uploads that were not seen freed, ascending by `ID/path` in UTF-8, after this one. `complete`: it lies in the store
   * and stays for now; others may lie there, or not yet, or not any more.
   */
  uploadFiles(after: string, limit: number): Promise<{ name: string; bytes: number; complete: boolean }[]>;
}

/** Why an artifact cannot go: its pin, an alias, a run in flight, or that nobody could make it again. */
export interface Held {
  artifactId: string;
  by: 'PIN' | 'ALIAS' | 'RUN' | 'SOURCE' | 'NOBODY_KNOWS';
}

export interface StoredPolicy extends RetentionPolicy {
  setBy: string;
  setAt: Date;
}

export interface PinView {
  artifactId: string;
  /** Why it is kept. */
  note: string;
  pinnedBy: string;
  pinnedAt: Date;
}

export interface Tally {
  artifacts: number;
  bytes: number;
}

export interface PlanTotals {
  artifacts: number;
  /** That would be free in the store: of blobs that nothing else names. */
  bytes: number;
  /** By kind and reason; `bytes` are those of the artifacts, shared blobs counted each time. */
  kinds: (Tally & { kind: string; reason: DoomReason })[];
}

export interface PlanItem {
  artifact: ArtifactView;
  reason: DoomReason;
}

/** Objects that are to be deleted by whoever asked for them, at once. */
export interface Condemned {
  /** Names the decision. */
  sweep: string;
  /** In the order to delete them in: manifests before the blobs that they name. */
  keys: string[];
}

export type Orphans = { kind: 'manifests'; ids: readonly string[] } | { kind: 'blobs'; blobs: readonly OrphanBlob[] };

export interface OrphanBlob {
  sha256: string;
  bytes: number;
}
