/** What endpoints can be told of, and when. `ping` is sent on request alone, to whatever endpoint. */
export const EVENT_TYPES = {
  'run.succeeded': 'a run published its synthetic dataset',
  'run.failed': 'a run failed for good',
  'run.cancelled': 'a run was stopped on request',
  'datasetVersion.ready': 'an import ended; with data.datasetVersion.reused it found the images of an earlier version',
  'datasetVersion.failed': 'an import failed, or was cancelled',
  'alias.promoted':
    'an alias stands for another synthetic dataset: it passed the gates, or data.alias.override says why it may',
  'alias.reverted': 'an alias stands for what it stood for before',
  'trigger.fired': 'a trigger fired whose action is a webhook',
} as const;

export type EventType = keyof typeof EVENT_TYPES;

/** Every type of `EVENT_TYPES`, also those of later releases. */
export const ANY_TYPE = '*';
export const PING = 'ping';
