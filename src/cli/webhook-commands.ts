import { type Command, InvalidArgumentError } from 'commander';
import { between, moreNames, names, onService, withUrl } from './options.ts';
import {
  addWebhook,
  disableWebhook,
  enableWebhook,
  type EndpointOptions,
  listDeliveries,
  listWebhooks,
  previewWebhook,
  redeliver,
  redeliverSince,
  removeWebhook,
  rotateWebhook,
  setWebhook,
  showDelivery,
  showWebhook,
  testWebhook,
} from './webhooks.ts';

const TYPES =
  'run.succeeded, run.failed, run.cancelled, datasetVersion.ready, datasetVersion.failed, alias.promoted, alias.reverted, trigger.fired, or * for all';

type Url = { url?: string };

/** `webhooks`: endpoints that are told of events. `--to` is theirs, `--url` the service's, as everywhere. */
export function addWebhooks(program: Command, host: Parameters<typeof onService>[0]): void {
  const webhooks = program
    .command('webhooks')
    .description('Endpoints that are told what happens, signed and in order.');
  const command = (name: string, description: string) => withUrl(webhooks.command(name).description(description));
  const onOne =
    (work: (client: Parameters<typeof showWebhook>[0], id: string) => Promise<void>) =>
    (id: string, { url }: Url) =>
      onService(host, url, (client) => work(client, id));

  withUrl(webhooks.command('list', { isDefault: true }).description('All of them.')).action(({ url }: Url) =>
    onService(host, url, listWebhooks),
  );
  command('show', 'One, with what it is told of.').argument('<webhook>').action(onOne(showWebhook));
  withSettings(
    command('add', 'Make one. Its secret, to verify signatures with, is shown once.').argument('<endpoint>', 'its URL'),
  ).action((endpoint: string, { url, ...options }: EndpointOptions & Url) =>
    onService(host, url, (client) => addWebhook(client, endpoint, options)),
  );
  withSettings(command('set', 'Change what is named of one.').argument('<webhook>'))
    .option('--to <endpoint>', 'its URL')
    .action((id: string, { url, to, ...options }: EndpointOptions & Url & { to?: string }) =>
      onService(host, url, (client) => setWebhook(client, id, { ...options, ...(to !== undefined && { url: to }) })),
    );
  command('remove', 'Delete one, with its deliveries.').argument('<webhook>').action(onOne(removeWebhook));
  command('enable', 'Tell one again; what waited for it goes on.').argument('<webhook>').action(onOne(enableWebhook));
  command('disable', 'Tell one nothing until it is enabled.')
    .argument('<webhook>')
    .option('--reason <text>', 'why')
    .action((id: string, { url, reason }: Url & { reason?: string }) =>
      onService(host, url, (client) => disableWebhook(client, id, reason)),
    );
  command('rotate', 'Make a new secret. Requests have a signature of both until the old one expires.')
    .argument('<webhook>')
    .option('--keep-hours <hours>', 'how long the old one stays valid, 0 to 168', between(0, 168), 24)
    .action((id: string, { url, keepHours }: Url & { keepHours: number }) =>
      onService(host, url, (client) => rotateWebhook(client, id, keepHours)),
    );
  command('test', 'Send a ping to one, and tell what came of it.').argument('<webhook>').action(onOne(testWebhook));
  command('deliveries', 'What was or is on its way, newest first; dead letters with --state dead.')
    .option('--webhook <webhook>', 'to this one')
    .option('--state <states>', 'pending, delivered, dead', names)
    .option('--run <run>', 'of events of this run')
    .action(({ url, ...options }: Url & Parameters<typeof listDeliveries>[1]) =>
      onService(host, url, (client) => listDeliveries(client, options)),
    );
  command('delivery', 'Every request of a delivery and what came of it.')
    .argument('<delivery>')
    .action(onOne(showDelivery));
  command('redeliver', 'Send a delivery again, whatever became of it.').argument('<delivery>').action(onOne(redeliver));
  command('redeliver-since', 'Send again what is dead.')
    .argument('<webhook>')
    .argument('<time>', 'made since then, such as 2026-12-01T00:00:00Z')
    .option('--all', 'also what was delivered')
    .action((id: string, since: string, { url, all }: Url & { all?: boolean }) =>
      onService(host, url, (client) => redeliverSince(client, id, { since, ...(all && { all }) })),
    );
  command('preview', 'The body for an event of a type; nothing is sent.')
    .argument('<type>', TYPES)
    .option('--template <file>', 'JSON with {{data.run.id}} and the like in its texts')
    .action((type: string, { url, template }: Url & { template?: string }) =>
      onService(host, url, (client) => previewWebhook(client, type, template)),
    );
}

function withSettings(command: Command): Command {
  return command
    .option('--on <types>', `what it is told of: ${TYPES}; comma-separated, or the option repeated`, moreNames)
    .option('--alias <names>', 'of events of aliases, only those of these', moreNames)
    .option('--dataset <ids>', 'of events that have to do with a dataset, only those of these', moreNames)
    .option('--description <text>', 'what it is for')
    .option(
      '--template <file>',
      'JSON to send instead of the CloudEvent, with {{data.run.id}} and the like in its texts; "": none',
    )
    .option(
      '--header <header>',
      'a header of its own such as "Authorization: Bearer ..."; may be repeated',
      header,
      {},
    );
}

/** @throws InvalidArgumentError */
export function header(text: string, before: Record<string, string>): Record<string, string> {
  const colon = text.indexOf(':');
  // The value is not repeated in the error.
  if (colon < 1) throw new InvalidArgumentError('expected a header such as "Authorization: Bearer ...", got no colon');
  return { ...before, [text.slice(0, colon).trim()]: text.slice(colon + 1).trim() };
}
