import { invalid } from '../../base/errors.ts';
import { wholeNumber } from '../whole-number.ts';

/**
 * What a project keeps. The keep rules add up, as those of restic and other backup tools do: a run stays if any of
 * them wants it, and with neither `keepDays` nor `keepRuns` every run does. What a run that is kept read and wrote stays,
 * and all that this was made from. No policy at all: everything stays.
 */
export interface RetentionPolicy {
  /** Keep runs that ended, and artifacts that were made, in the last so many days. Null: no such rule. */
  keepDays: number | null;
  /** Keep the so many newest versions of each dataset, by their last import. Null: all of them. */
  keepVersions: number | null;
  /** Keep the so many newest SUCCEEDED runs of each dataset. Null: no such rule. */
  keepRuns: number | null;
  /** Kinds that go earlier. */
  kinds: KindRule[];
  /** Hours from being doomed to being deleted; whatever is used in between stays. */
  graceHours: number;
}

/** Artifacts of this kind expire so many days after the last run that used them ended. */
export interface KindRule {
  kind: string;
  days: number;
  /** False: one that a kept artifact was made from stays. True: it goes, unless a pin, a prior or a run in flight needs it. */
  cutLineage: boolean;
}

export interface RetentionPolicyInput {
  keepDays?: number | null;
  keepVersions?: number | null;
  keepRuns?: number | null;
  kinds?: readonly { kind: string; days: number; cutLineage?: boolean | null }[] | null;
  graceHours?: number | null;
}

/** Versions have a rule of their own, priors are always kept, and stages go with the artifacts that they list. */
export const EXPIRING_KINDS = [
  'latents',
  'distortionCurve',
  'codebook',
  'images',
  'softLabels',
  'comparison',
  'syntheticDataset',
  'report',
  'driftSample',
  'driftTest',
  'driftReport',
] as const;

export const DEFAULT_GRACE_HOURS = 24;
const MOST = 100_000;

/** @throws INVALID_INPUT */
export function parsePolicy(input: RetentionPolicyInput): RetentionPolicy {
  const policy = {
    keepDays: within('keepDays', input.keepDays ?? null, 1),
    keepVersions: within('keepVersions', input.keepVersions ?? null, 1),
    keepRuns: within('keepRuns', input.keepRuns ?? null, 1),
    kinds: (input.kinds ?? []).map(parseRule),
    graceHours: within('graceHours', input.graceHours ?? DEFAULT_GRACE_HOURS, 0)!,
  };
  const twice = policy.kinds.find(({ kind }, index) => policy.kinds.findIndex((one) => one.kind === kind) !== index);
  if (twice) throw wrong(['kinds'], `expected each kind once, got ${twice.kind} twice: remove one`);
  const { keepDays, keepVersions, keepRuns, kinds } = policy;
  if (keepDays === null && keepVersions === null && keepRuns === null && kinds.length === 0) {
    throw wrong([], 'expected at least one rule, got none: set a rule, or no policy at all to keep everything');
  }
  return policy;
}

function parseRule(rule: { kind: string; days: number; cutLineage?: boolean | null }, index: number) {
  const path = ['kinds', String(index)];
  if (!(EXPIRING_KINDS as readonly string[]).includes(rule.kind)) {
    const kind = JSON.stringify(rule.kind);
    throw wrong([...path, 'kind'], `expected a kind of ${EXPIRING_KINDS.join(', ')}, got ${kind}: choose one of them`);
  }
  const days = within('days', rule.days, 1, [...path, 'days'])!;
  return { kind: rule.kind, days, cutLineage: rule.cutLineage ?? false };
}

function within(name: string, value: number | null, least: number, path = [name]): number | null {
  if (value === null) return null;
  return wholeNumber(value, { name, from: least, to: MOST, path: ['policy', ...path], remedy: 'correct it' });
}

const wrong = (path: string[], message: string) => invalid(message, { path: ['policy', ...path] });
