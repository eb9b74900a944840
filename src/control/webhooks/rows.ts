/**
 * Webhooks: an *endpoint* is told of events of its project, a *delivery* is one event on its way to one endpoint, a *try* is one request.
 * What is needed of the database and the network is implemented by adapters/database/webhooks.ts and adapters/http.
 */
import { type JsonObject, type JsonValue } from '../../base/json.ts';
import { type Page, type PageRequest } from '../paging.ts';
import { type PassClaim } from '../retention/rows.ts';

export type WebhookState = 'ENABLED' | 'DISABLED';

/** PENDING: it waits for its first or next try. DEAD: it was given up, and goes again where someone asks for it. */
export type DeliveryState = 'PENDING' | 'DELIVERED' | 'DEAD';

export interface WebhookSecret {
  /** `whsec_` and 32 bytes in base 64. */
  secret: string;
  createdAt: Date;
  /** Null: until it is rotated. */
  expiresAt: Date | null;
}

export interface WebhookView {
  id: string;
  url: string;
  description: string;
  /** Types of events, or `*`. */
  types: string[];
  /** Of events of aliases, only those of these; null: all. */
  aliases: string[] | null;
  /** Of events that have to do with a dataset, only those of these; null: all. */
  datasetIds: string[] | null;
  /** What is sent instead of the CloudEvent, with `{{paths}}` into it. */
  template: JsonValue;
  /** Names of the headers of its own; their values are told to nobody. */
  headerNames: string[];
  state: WebhookState;
  /** Null where it is ENABLED. */
  disabledBecause: string | null;
  /** Newest first, those that have expired left out. */
  secrets: Omit<WebhookSecret, 'secret'>[];
  createdBy: string;
  createdAt: Date;
}

/** What can be said of an endpoint. */
export interface WebhookSettings extends Pick<
  WebhookView,
  'url' | 'description' | 'types' | 'aliases' | 'datasetIds' | 'template'
> {
  headers: Record<string, string>;
}

/** What is told, as it was when it was fed. */
export interface ToldEvent {
  /** The same at every endpoint. */
  id: string;
  type: string;
  at: Date;
  /** What it happened to: a run, a dataset, an alias. */
  subject: string;
  /** Null for events of the project. */
  runId: string | null;
  payload: JsonObject;
}

export interface WebhookDeliveryView {
  id: string;
  webhookId: string;
  event: ToldEvent;
  state: DeliveryState;
  /** Made so far. */
  tries: number;
  /** Null once it has ended. */
  nextTryAt: Date | null;
  createdAt: Date;
  endedAt: Date | null;
  /** Why the last try failed; null where it did not, and before it. */
  error: string | null;
}

/** A request and what came of it; secret headers are left out, signatures of URLs cut off, bodies shortened. */
export interface WebhookTry {
  number: number;
  at: Date;
  ms: number;
  /** Null where nothing answered. */
  status: number | null;
  /** Null where it was delivered. */
  error: string | null;
  requestHeaders: Record<string, string>;
  requestBody: string;
  responseHeaders: Record<string, string> | null;
  responseBody: string | null;
}

export interface WebhookTryView extends WebhookTry {
  deliveryId: string;
}

export interface DeliveryFilter {
  webhookId?: string;
  states?: readonly DeliveryState[];
  types?: readonly string[];
  runId?: string;
}

/** The webhooks of one project; part of `ProjectCatalog`. */
export interface WebhookReads {
  webhooksById(ids: readonly string[]): Promise<WebhookView[]>;
  /** Newest first. */
  webhooks(page: PageRequest): Promise<Page<WebhookView>>;
  webhookDeliveriesById(ids: readonly string[]): Promise<WebhookDeliveryView[]>;
  /** Newest first. */
  webhookDeliveries(page: PageRequest, filter: DeliveryFilter): Promise<Page<WebhookDeliveryView>>;
  /** In their order. */
  triesOfDeliveries(deliveryIds: readonly string[]): Promise<WebhookTryView[]>;
}

export interface WebhookWrites {
  countWebhooks(): Promise<number>;
  createWebhook(id: string, settings: WebhookSettings, secret: string, by: string): Promise<WebhookView>;
  /** Null: no such endpoint; the same of the others. */
  updateWebhook(id: string, changes: Partial<WebhookSettings>): Promise<WebhookView | null>;
  /** With its deliveries. */
  deleteWebhook(id: string): Promise<boolean>;
  setWebhookState(id: string, state: WebhookState, because: string | null): Promise<WebhookView | null>;
  /** The newest before stays valid for so long; those before it go. */
  rotateWebhookSecret(id: string, secret: string, keepMs: number): Promise<WebhookView | null>;
  addTestDelivery(webhookId: string, event: ToldEvent): Promise<WebhookDeliveryView>;
  /** From the beginning of its tries. */
  redeliver(deliveryId: string): Promise<WebhookDeliveryView | null>;
  /** Those of an endpoint that were made since then and are in these states. @returns how many */
  redeliverSince(webhookId: string, since: Date, states: readonly DeliveryState[]): Promise<number>;
}

/** An endpoint that is ENABLED, as far as it decides what it is told. */
export interface Subscription {
  id: string;
  projectId: string;
  types: string[];
  aliases: string[] | null;
  datasetIds: string[] | null;
  /** What happened before is told to others. */
  createdAt: Date;
}

export interface NewDelivery {
  id: string;
  projectId: string;
  webhookId: string;
  /** Deliveries of one key to one endpoint come in their order. */
  key: string;
  event: ToldEvent;
}

/** A delivery that may be tried now. */
export interface DueDelivery {
  id: string;
  projectId: string;
  webhookId: string;
  event: ToldEvent;
  /** Made in all. */
  tries: number;
  /** Failed since it was first sent, or sent again on request. */
  failures: number;
  url: string;
  headers: Record<string, string>;
  /** Those that are valid, newest first. */
  secrets: string[];
  template: JsonValue;
}

export interface TriedDelivery {
  id: string;
  webhookId: string;
  tried: WebhookTry;
  then: { state: 'DELIVERED' } | { state: 'DEAD'; disable: string | null } | { state: 'PENDING'; afterMs: number };
}

/** The webhooks of all projects, for whoever delivers. */
export interface WebhookStore {
  /** The right to deliver: one service at a time. */
  claim(): Promise<PassClaim | null>;
  subscriptions(projectIds: readonly string[]): Promise<Subscription[]>;
  /** One that is there for the same endpoint and event stays. */
  add(deliveries: readonly NewDelivery[]): Promise<void>;
  /** Those whose time has come, the oldest of each key alone: `first` of each endpoint at most. */
  due(but: { deliveryIds: readonly string[]; webhookIds: readonly string[] }, first: number): Promise<DueDelivery[]>;
  record(tried: readonly TriedDelivery[]): Promise<void>;
  /** Forgets deliveries that ended that long ago. @returns how many */
  prune(afterDays: number): Promise<number>;
}

export interface WebhookRequest {
  /** Of the message: the same in every try. */
  id: string;
  url: string;
  headers: Record<string, string>;
  body: string;
  /** One or two, newest first. */
  secrets: readonly string[];
}

export interface WebhookAnswer {
  ms: number;
  /** What was sent beside the endpoint's own headers. */
  requestHeaders: Record<string, string>;
  result:
    | { kind: 'answered'; status: number; headers: Record<string, string>; body: string; retryAfterMs: number | null }
    /** Nothing answered, or not to the end. */
    | { kind: 'failed'; reason: string };
}

/** Signs and sends. Implemented by adapters/http. */
export interface WebhookSender {
  /** What can be told of a URL before anything is sent. @throws INVALID_INPUT */
  checkUrl(url: string): void;
  /** Never rejects. */
  send(request: WebhookRequest, signal: AbortSignal): Promise<WebhookAnswer>;
}
