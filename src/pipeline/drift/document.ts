import { type Verdict, type VerdictOptions } from './verdict.ts';

/** What a drift report is of. A type, so that it is a JsonObject. */
export type DriftMade = {
  datasetVersion: { digest: string; images: number };
  /** As it was asked for, the run that it stood for, and the artifact of that run's codebooks. */
  reference: { against: string; runId: string; codebooks: string };
  prior: { name: string; version: string };
  samplesPerClass: number;
  seed: number;
};

export interface DriftFindings extends Verdict {
  made: DriftMade;
  rules: VerdictOptions;
}

/** `drift.json`, as schema/drift/drift.json describes it. */
export function driftDocument({ made, rules, overall, classes }: DriftFindings): string {
  return `${JSON.stringify({ formatVersion: 1, made, rules, overall, classes }, null, 2)}\n`;
}
