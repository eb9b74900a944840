import { invalid, notFound } from '../../base/errors.ts';
import { type Principal } from '../identity.ts';
import { type Page, type PageRequest } from '../ports.ts';
import { findOrphans, oldBefore, type OrphanReport } from './orphans.ts';
import { invalidateArtifacts } from './invalidation.ts';
import {
  ORPHAN_HOURS,
  type OrphanSweep,
  type PassOptions,
  type PassReport,
  retentionPass,
  sweepOrphans,
} from './pass.ts';
import { parsePolicy, type RetentionPolicyInput } from './policy.ts';
import { type PinView, type PlanItem, type PlanTotals, type StoredPolicy, type Tally } from './rows.ts';
import { wholeNumber } from '../whole-number.ts';

/** What a project keeps, what goes, and what is in the way. Each use case takes who asks. */
export interface Retention {
  /** Null: everything is kept. */
  policy(principal: Principal): Promise<StoredPolicy | null>;
  setPolicy(principal: Principal, input: RetentionPolicyInput | null): Promise<StoredPolicy | null>;
  /** What would go now, whatever its grace period; nothing without a policy. */
  plan(principal: Principal): Promise<PlanTotals>;
  planItems(principal: Principal, page: PageRequest): Promise<Page<PlanItem>>;
  /** One pass now. @throws NOT_READY where another is under way and does not end within half a minute */
  apply(principal: Principal): Promise<PassReport>;
  /** Keeps an artifact and all that it was made from. @throws NOT_FOUND, ARTIFACT_DELETED, INVALID_INPUT */
  pin(principal: Principal, artifactId: string, note: string): Promise<PinView>;
  unpin(principal: Principal, artifactId: string): Promise<void>;
  /**
   * Deletes the bytes of artifacts now, whatever the policy: a run that needs one makes it again, and says why. All of them or none.
   * @returns how many were deleted; those that were before are not counted
   * @throws NOT_FOUND; INVALID_INPUT where one is pinned, was imported or registered, or is needed by a run that is under way
   */
  invalidate(principal: Principal, artifactIds: readonly string[], note: string): Promise<Tally>;
  /** Walks the whole store of the project. */
  orphans(principal: Principal, olderThanHours: number): Promise<OrphanReport>;
  sweepOrphans(principal: Principal, olderThanHours: number): Promise<OrphanSweep>;
}

/** A pass that someone asked for waits so long for another that is under way. */
const PATIENCE_MS = 30_000;

export function createRetention(options: PassOptions, signal: AbortSignal): Retention {
  const of = { patienceMs: PATIENCE_MS, ...options };
  const rowsOf = ({ projectId }: Principal) => of.retention.project(projectId);
  return {
    policy: (principal) => rowsOf(principal).policy(),

    async setPolicy(principal, input) {
      const policy = input && parsePolicy(input);
      await rowsOf(principal).setPolicy(policy, principal.actor);
      of.log.info('retention policy set', { projectId: principal.projectId, by: principal.actor, policy });
      return await rowsOf(principal).policy();
    },

    async plan(principal) {
      const policy = await rowsOf(principal).policy();
      if (!policy) return { artifacts: 0, bytes: 0, kinds: [] };
      return await rowsOf(principal).plan(policy, of.clock.now());
    },

    async planItems(principal, page) {
      const policy = await rowsOf(principal).policy();
      if (!policy) return { items: [], hasMore: false };
      return await rowsOf(principal).planItems(policy, of.clock.now(), page);
    },

    apply: ({ projectId }) => retentionPass(of, projectId, signal),

    async pin(principal, artifactId, note) {
      const pin = await rowsOf(principal).pin(artifactId, checkNote(note), principal.actor);
      if (!pin) throw notFound('artifact', artifactId);
      return pin;
    },

    async unpin(principal, artifactId) {
      if (!(await rowsOf(principal).unpin(artifactId))) throw notFound('artifact', artifactId);
    },

    async invalidate(principal, artifactIds, note) {
      const { projectId, actor } = principal;
      const because = `${checkNote(note) || 'no reason was given'} (${actor})`;
      const tally = await invalidateArtifacts(of, projectId, checkIds(artifactIds), because, signal);
      of.log.info('artifacts invalidated', { projectId, by: actor, because, ...tally });
      return tally;
    },

    async orphans(principal, olderThanHours) {
      const rows = rowsOf(principal);
      return await findOrphans({
        store: of.store,
        rows,
        projectId: principal.projectId,
        oldBefore: await oldBefore(rows, of.clock.now(), checkHours(olderThanHours)),
        signal,
      });
    },

    sweepOrphans: async ({ projectId }, olderThanHours) =>
      sweepOrphans(of, projectId, checkHours(olderThanHours), signal),
  };
}

function checkNote(note: string): string {
  const trimmed = note.trim();
  if (trimmed.length > 1000) {
    throw invalid(`expected a note of at most 1000 characters, got ${trimmed.length}: shorten it`, { path: ['note'] });
  }
  return trimmed;
}

function checkIds(ids: readonly string[]): string[] {
  if (ids.length > 0) return [...new Set(ids)];
  throw invalid('expected the ids of artifacts, got none: name at least one', { path: ['ids'] });
}

/** An hour protects what attempts are about to refer to; the default protects what was lost a day ago as well. */
function checkHours(hours: number): number {
  return wholeNumber(hours, {
    ...{ name: 'olderThanHours', from: 1, to: 100_000, path: ['olderThanHours'] },
    remedy: `use ${ORPHAN_HOURS} or more`,
  });
}
