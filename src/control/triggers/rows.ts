/**
 * Triggers: a *trigger* is a rule of a project; each change of it is a *version*. What happens gives an *evaluation* of each trigger whose
 * source it is, one for each event, whatever comes of it. What is needed of the database is implemented by adapters/database/triggers.ts.
 */
import { type ErrorRecord } from '../../base/errors.ts';
import { type JsonObject, type JsonValue } from '../../base/json.ts';
import { type Page, type PageRequest } from '../paging.ts';

export type TriggerState = 'ACTIVE' | 'PAUSED';

export type TriggerSourceKind = 'SCHEDULE' | 'DATASET_VERSION' | 'DRIFT' | 'RUN' | 'EVENT' | 'ALIAS';
export type RunOutcome = 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
export type AliasChange = 'PROMOTED' | 'REVERTED';

/** What a trigger looks at. Which fields a kind has is in `definition.ts`; those of other kinds are null. */
export interface TriggerSource {
  kind: TriggerSourceKind;
  /** Five fields, in the wall-clock time of the zone. */
  cron: string | null;
  /** IANA. */
  timeZone: string | null;
  /** Name of a dataset: whose versions, whose runs; for SCHEDULE and EVENT the one that facts and templates are about. */
  dataset: string | null;
  /** What a new version is measured against: a run, an alias, or a synthetic dataset. */
  against: string | null;
  /** Latents of each class that a drift run encodes; null: as drift runs do. */
  samplesPerClass: number | null;
  outcomes: RunOutcome[] | null;
  priorId: string | null;
  /** Only runs that this trigger launched. */
  launchedBy: string | null;
  eventSourceId: string | null;
  /** Of CloudEvents; null: all. */
  eventTypes: string[] | null;
  alias: string | null;
  changes: AliasChange[] | null;
}

export interface LaunchAction {
  /** A recipe in whose texts `{{path}}` stands for a fact. */
  recipe: JsonObject;
  priority: number;
  /** US dollars that a run may cost; null: any. */
  costUsd: number | null;
}

/** One of them or several. */
export interface TriggerAction {
  launch: LaunchAction | null;
  /** Tells `trigger.fired` to webhooks: to one endpoint, or to all that ask for the type. */
  notify: { webhookId: string | null } | null;
  /** Of RUN: promotes the run's synthetic dataset where it passes the gates of the alias. */
  promote: { alias: string } | null;
}

/** SKIP: what was missed is gone. ONE: the newest missed time alone. ALL: each, up to the newest `MOST_CAUGHT_UP`. */
export type Misfire = 'SKIP' | 'ONE' | 'ALL';

export interface TriggerPolicy {
  /** Seconds after it fired in which it does not fire again; null: none. */
  cooldownSeconds: number | null;
  /** Fires at most so often in each so many seconds. */
  rateMax: number | null;
  rateSeconds: number | null;
  /** Runs of it in flight, drift runs left out. */
  maxInFlight: number | null;
  /** Over that: skipped, or the newest waits for a run to end. */
  whenBusy: 'SKIP' | 'QUEUE_NEWEST';
  /** US dollars that its runs may cost in a month (UTC). */
  monthlyUsd: number | null;
  misfire: Misfire;
}

/** What is said of a trigger; each change is a version. */
export interface TriggerDefinition {
  source: TriggerSource;
  /** Null: always met. */
  condition: string | null;
  action: TriggerAction;
  policy: TriggerPolicy;
}

export interface TriggerView extends TriggerDefinition {
  id: string;
  name: string;
  state: TriggerState;
  /** Null where it is ACTIVE. */
  pausedBecause: string | null;
  version: number;
  changedBy: string;
  changedAt: Date;
  createdAt: Date;
  /** Null but for SCHEDULE. */
  nextDueAt: Date | null;
  /** It is evaluated no more; what it did can still be asked. */
  deletedAt: Date | null;
}

/** PENDING: it waits for a drift run, or for a run of it to end. The others are final. */
export type TriggerVerdict = 'FIRED' | 'NOT_MET' | 'SKIPPED' | 'PENDING' | 'FAILED';

export type SkipReason =
  'PAUSED' | 'DELETED' | 'COOLDOWN' | 'RATE' | 'IN_FLIGHT' | 'SUPERSEDED' | 'BUDGET' | 'LOOP' | 'GATES';
export type WaitReason = 'MEASURING' | 'QUEUED';

/** A part of a condition, with the value that it had. */
export interface TriggerTerm {
  /** As it was written. */
  text: string;
  /** Null: unknown. */
  value: JsonValue;
  terms: TriggerTerm[];
}

/** What a trigger is evaluated for. */
export interface TriggerEvent {
  /** The same however often it comes. */
  key: string;
  type: string;
  at: Date;
  /** What the source told, by the names that conditions and templates use. */
  facts: JsonObject;
  /** Of the run, version, or alias that it is about. */
  runId: string | null;
  datasetVersionId: string | null;
}

export interface EvaluationOutcome {
  verdict: TriggerVerdict;
  reason: SkipReason | WaitReason | null;
  /** The same in words. */
  detail: string | null;
  /** Null where it was not asked. */
  tree: TriggerTerm | null;
  error: ErrorRecord | null;
  launchedRunId: string | null;
  measuringRunId: string | null;
  promotedVersionId: string | null;
}

export interface TriggerEvaluationView extends EvaluationOutcome {
  id: string;
  triggerId: string;
  triggerVersion: number;
  event: TriggerEvent;
  /** Triggers that led here, the first one first; it is the last. */
  chain: string[];
  createdAt: Date;
  /** Null while it is PENDING. */
  endedAt: Date | null;
}

export interface EvaluationFilter {
  triggerId?: string;
  verdicts?: readonly TriggerVerdict[];
}

export interface EventSourceView {
  id: string;
  name: string;
  /** Null: it takes events. */
  revokedAt: Date | null;
  /** Newest first, those that have expired left out. */
  secrets: { createdAt: Date; expiresAt: Date | null }[];
  createdBy: string;
  createdAt: Date;
}

export interface TriggerReads {
  triggersById(ids: readonly string[]): Promise<TriggerView[]>;
  triggerByName(name: string): Promise<TriggerView | null>;
  /** Newest first, deleted ones left out. */
  triggers(page: PageRequest): Promise<Page<TriggerView>>;
  triggerEvaluationsById(ids: readonly string[]): Promise<TriggerEvaluationView[]>;
  /** Newest first. */
  triggerEvaluations(page: PageRequest, filter: EvaluationFilter): Promise<Page<TriggerEvaluationView>>;
  /** Those that launched these runs. */
  evaluationsOfRuns(runIds: readonly string[]): Promise<TriggerEvaluationView[]>;
  eventSourcesById(ids: readonly string[]): Promise<EventSourceView[]>;
  /** By name. */
  eventSources(): Promise<EventSourceView[]>;
  /** What the policy of a trigger, and ages, go by; times by the clock of the database. */
  triggerUsage(triggerId: string, rateSeconds: number): Promise<TriggerUsage>;
  /** Hours since something happened, by the clock of the database; null: it never did. */
  hoursSince(of: SinceRequest): Promise<number | null>;
}

export interface TriggerUsage {
  firedSecondsAgo: number | null;
  /** Within the seconds that were asked for. */
  fired: number;
  inFlight: number;
  /** In this month (UTC), by all of its runs, drift runs among them. */
  spentUsd: number;
}

/** The newest run that SUCCEEDED, of a dataset or any; the newest version of an alias. */
export type SinceRequest = { what: 'RUN'; datasetId: string | null } | { what: 'PROMOTED'; alias: string };

export interface TriggerWrites {
  countTriggers(): Promise<number>;
  /** Null where another trigger has the name. */
  createTrigger(of: NewTrigger): Promise<TriggerView | null>;
  /** As its next version; null: it is not there, or not of version `after` any more. */
  updateTrigger(of: NewTrigger & { after: number }): Promise<TriggerView | null>;
  /** Null: no such trigger. */
  setTriggerState(id: string, state: TriggerState, because: string | null): Promise<TriggerView | null>;
  deleteTrigger(id: string): Promise<boolean>;
  /** Has it evaluated for an event of its own, once for each key. */
  requestEvaluation(triggerId: string, key: string, event: JsonObject, by: string): Promise<void>;
  countEventSources(): Promise<number>;
  /** Null where another has the name. */
  createEventSource(id: string, name: string, secret: string, by: string): Promise<EventSourceView | null>;
  /** The one before stays valid for so long. Null: no such source, or a revoked one. */
  rotateEventSource(id: string, secret: string, keepMs: number): Promise<EventSourceView | null>;
  revokeEventSource(id: string): Promise<EventSourceView | null>;
}

export interface NewTrigger {
  id: string;
  name: string;
  definition: TriggerDefinition;
  nextDueAt: Date | null;
  by: string;
}

export interface DueTrigger {
  id: string;
  projectId: string;
  version: number;
  source: TriggerSource;
  policy: TriggerPolicy;
  dueAt: Date;
}

export interface NewEvaluation extends EvaluationOutcome {
  id: string;
  projectId: string;
  triggerId: string;
  triggerVersion: number;
  event: TriggerEvent;
  chain: string[];
}

/** The triggers of all projects, for whoever evaluates. */
export interface TriggerStore {
  /** By the clock of the database. */
  now(): Promise<Date>;
  /** ACTIVE ones whose time has come, the longest due first. */
  due(now: Date, first: number): Promise<DueTrigger[]>;
  /** When the next is due; null: none. */
  nextDue(): Promise<Date | null>;
  /** Tells of these times and sets the next one, at once; nothing where another service has. */
  tick(trigger: DueTrigger, times: readonly { dueAt: Date; missed: number }[], next: Date | null): Promise<boolean>;
  /** Those that are not deleted. */
  ofProjects(projectIds: readonly string[]): Promise<(TriggerView & { projectId: string })[]>;
  /** Events of this trigger that it was evaluated for. */
  evaluated(triggerId: string, keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Evaluations that wait for these runs, or for a run of the trigger that launched them to end. */
  waitingFor(runIds: readonly string[]): Promise<(TriggerEvaluationView & { projectId: string; runId: string })[]>;
  /** The triggers that led to a version of an alias. */
  chainOf(aliasVersionId: string): Promise<string[]>;
  /**
   * One that is there for the trigger and event stays, unless it is PENDING. A QUEUED one supersedes those before. One that would be PENDING is SKIPPED where the
   * trigger was changed or deleted after it was evaluated.
   */
  record(evaluation: NewEvaluation, fired: JsonObject | null): Promise<void>;
  /** The secrets of a source that are valid now, and whose it is; null: none, or a revoked one. */
  eventSource(id: string): Promise<{ projectId: string; name: string; secrets: string[] } | null>;
  /** Has an event evaluated. False where it came before. */
  receive(sourceId: string, key: string, event: JsonObject): Promise<boolean>;
  /** Forgets evaluations that launched nothing, and the events of triggers, after so many days. @returns how many evaluations */
  prune(afterDays: number): Promise<number>;
}

/** Proves who sent a request (Standard Webhooks). Implemented by adapters/http. */
export interface EventVerifier {
  /** @param headers lower-case names */
  verify(body: string, headers: Readonly<Record<string, string>>, secrets: readonly string[]): boolean;
}
