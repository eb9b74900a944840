import { type Command } from 'commander';
import { atLeastOne, onService, wholeNumber, withUrl } from './options.ts';
import {
  apply,
  expiry,
  type OrphanOptions,
  orphans,
  pin,
  type PolicyOptions,
  setPolicy,
  showPlan,
  showPolicy,
  unpin,
} from './retention.ts';

/** `retention` and `orphans`: what deletes asks for `--yes`. */
export function addRetention(program: Command, host: Parameters<typeof onService>[0]): void {
  const retention = program.command('retention').description('What the project keeps, and what goes.');
  withUrl(retention.command('show').description('The policy.')).action((options: { url?: string }) =>
    onService(host, options.url, showPolicy),
  );
  withUrl(
    retention
      .command('set')
      .description(
        'Set the policy: the rules given replace those before. A run stays if --keep-days or --keep-runs wants it, with what it read and wrote and all that this was made from.',
      ),
  )
    .option('--keep-days <days>', 'keep runs and artifacts of the last days', wholeNumber)
    .option('--keep-runs <number>', 'keep the newest runs of each dataset that succeeded', wholeNumber)
    .option('--keep-versions <number>', 'keep the newest versions of each dataset; default: all', wholeNumber)
    .option('--expire <kind=days>', 'let a kind go so many days after its last use; may be repeated', expiry)
    .option('--cut <kind=days>', 'the same, also where a kept artifact was made from it; may be repeated', expiry)
    .option('--grace-hours <hours>', 'from doomed to deleted; default 24', wholeNumber)
    .option('--keep-everything', 'no policy')
    .action(({ url, ...options }: PolicyOptions & { url?: string }) =>
      onService(host, url, (client) => setPolicy(client, options)),
    );
  withUrl(retention.command('plan').description('What would go now, and why.'))
    .option('--first <number>', 'artifacts to name one by one, at most 100', atLeastOne, 20)
    .action((options: { url?: string; first: number }) =>
      onService(host, options.url, (client) => showPlan(client, options.first)),
    );
  withUrl(
    retention
      .command('apply')
      .description('A pass now: doom what the policy does not keep, delete what has been doomed for its grace period.'),
  )
    .option('--yes', 'do it; without this it is only told')
    .action((options: { url?: string; yes?: boolean }) =>
      onService(host, options.url, (client) => apply(client, options.yes ?? false)),
    );
  withUrl(
    retention
      .command('pin')
      .description('Keep an artifact and all that it was made from, whatever the policy says.')
      .argument('<artifact>'),
  )
    .option('--note <text>', 'why', '')
    .action((id: string, options: { url?: string; note: string }) =>
      onService(host, options.url, (client) => pin(client, id, options.note)),
    );
  withUrl(
    retention.command('unpin').description('Leave an artifact to the policy again.').argument('<artifact>'),
  ).action((id: string, options: { url?: string }) => onService(host, options.url, (client) => unpin(client, id)));
  withUrl(program.command('orphans').description('How the store and the database differ.'))
    .option('--older-than-hours <hours>', 'leave objects that are younger', atLeastOne, 24)
    .option('--delete', 'delete what nothing refers to')
    .option('--yes', 'with --delete: do it; without this it is only told')
    .action(({ url, ...options }: OrphanOptions & { url?: string }) =>
      onService(host, url, (client) => orphans(client, options)),
    );
}
