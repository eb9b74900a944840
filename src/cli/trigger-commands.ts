import { type Command } from 'commander';
import { onService, someOf, whole, withUrl } from './options.ts';
import {
  addEventSource,
  createTrigger,
  deleteTrigger,
  evaluateTrigger,
  listEventSources,
  listTriggers,
  pauseTrigger,
  resumeTrigger,
  revokeEventSource,
  rotateEventSource,
  showTrigger,
  triggerHistory,
  updateTrigger,
} from './triggers.ts';

const VERDICTS = ['fired', 'not-met', 'skipped', 'pending', 'failed'];

interface Url {
  url?: string;
}

/** `triggers`: what launches runs, promotes what they made, or tells others by itself. */
export function addTriggers(program: Command, host: Parameters<typeof onService>[0]): void {
  const triggers = program
    .command('triggers')
    .description('Rules that launch runs, promote what they made, or tell others, when something happens.');
  const command = (name: string, description: string) => withUrl(triggers.command(name).description(description));

  withUrl(triggers.command('list', { isDefault: true }).description('What there is.')).action(({ url }: Url) =>
    onService(host, url, listTriggers),
  );
  command('show', 'What a trigger is.')
    .argument('<trigger>', 'its name or id')
    .option('--json', 'only what `create` and `update` take')
    .action((name: string, { url, ...options }: Url & { json?: boolean }) =>
      onService(host, url, (client) => showTrigger(client, name, options)),
    );
  command('create', 'Make a trigger. Its condition, recipe and schedule are checked now.')
    .argument('<name>', 'letters a to z, digits and . _ -')
    .argument('<file>', 'JSON with source, condition, action and policy, see the README')
    .action((name: string, file: string, { url }: Url) =>
      onService(host, url, (client) => createTrigger(client, name, file)),
    );
  command('update', 'Say anew what a trigger is, as its next version.')
    .argument('<trigger>', 'its name or id')
    .argument('<file>', 'as for create')
    .action((name: string, file: string, { url }: Url) =>
      onService(host, url, (client) => updateTrigger(client, name, file)),
    );
  command('pause', 'Have a trigger not fire. What happens meanwhile is not made up for.')
    .argument('<trigger>', 'its name or id')
    .option('--reason <text>', 'why, for whoever asks')
    .action((name: string, { url, reason }: Url & { reason?: string }) =>
      onService(host, url, (client) => pauseTrigger(client, name, reason)),
    );
  command('resume', 'Have a paused trigger fire again.')
    .argument('<trigger>', 'its name or id')
    .action((name: string, { url }: Url) => onService(host, url, (client) => resumeTrigger(client, name)));
  command('delete', 'Delete a trigger; runs that it launched go on.')
    .argument('<trigger>', 'its name or id')
    .action((name: string, { url }: Url) => onService(host, url, (client) => deleteTrigger(client, name)));
  command('evaluate', 'Tell what a trigger would do, with the values that decide.')
    .argument('<trigger>', 'its name or id')
    .option(
      '--event <json>',
      'such as {"runId":"..."}, {"datasetVersionId":"..."} or {"data":{...}}; default: the newest',
    )
    .option('--now', 'do it, as if the event had come')
    .action((name: string, { url, ...options }: Url & { event?: string; now?: boolean }) =>
      onService(host, url, (client) => evaluateTrigger(client, name, options)),
    );
  command('history', 'Why triggers fired, and why not, newest first.')
    .argument('[trigger]', 'its name or id; default: all')
    .option('--verdict <names>', `only some of ${VERDICTS.join(', ')}, separated by commas`, someOf(VERDICTS))
    .option('--terms', 'with the value of each part of the condition')
    .action((name: string | undefined, { url, ...options }: Url & { verdict?: string[]; terms?: boolean }) =>
      onService(host, url, (client) => triggerHistory(client, name, options)),
    );
  addEventSources(triggers, host);
}

function addEventSources(triggers: Command, host: Parameters<typeof onService>[0]): void {
  const sources = triggers.command('sources').description('Who may send events.');
  const command = (name: string, description: string) => withUrl(sources.command(name).description(description));

  withUrl(sources.command('list', { isDefault: true }).description('What there is.')).action(({ url }: Url) =>
    onService(host, url, listEventSources),
  );
  command('add', 'Make a sender known; shows its secret, once.')
    .argument('<name>', 'letters a to z, digits and . _ -')
    .action((name: string, { url }: Url) => onService(host, url, (client) => addEventSource(client, name)));
  command('rotate', 'Make a new secret; shows it, once.')
    .argument('<source>', 'its id, evsrc_...')
    .option('--overlap-hours <number>', 'how long the one before stays valid', whole(0, 720), 24)
    .action((id: string, { url, overlapHours }: Url & { overlapHours: number }) =>
      onService(host, url, (client) => rotateEventSource(client, id, overlapHours)),
    );
  command('revoke', 'Have a source take no events any more.')
    .argument('<source>', 'its id, evsrc_...')
    .action((id: string, { url }: Url) => onService(host, url, (client) => revokeEventSource(client, id)));
}
