import pg from 'pg';
import { type FeedClaim, type PassClaim } from '../../control/ports.ts';
import { type ServiceClaim } from '../../engine/ports.ts';

/** Any constants that nothing else in the database locks. */
const SERVICE = 7_283_411_905;
const PASSES = 728_341_192;
const FEED = 728_341_193;
const WEBHOOKS = 728_341_196;

/** How often the server is asked, and how long it may take to answer: together well below the time in which it notices the same. */
const EVIDENCE = { askEveryMs: 5_000, silentMs: 10_000 };

/** The right to move runs. */
export function claimService(url: string, evidence = EVIDENCE): Promise<ServiceClaim | null> {
  return claim(url, 'select pg_try_advisory_lock($1) as got', [SERVICE], evidence);
}

/** The right to carry out a retention pass over a project. */
export function claimPass(url: string, projectId: string): Promise<PassClaim | null> {
  return claim(url, 'select pg_try_advisory_lock($1::int, hashtext($2)) as got', [PASSES, projectId]);
}

/** The right to hand a consumer its events. */
export function claimFeed(url: string, consumer: string): Promise<FeedClaim | null> {
  return claim(url, 'select pg_try_advisory_lock($1::int, hashtext($2)) as got', [FEED, consumer]);
}

/** The right to deliver webhooks. */
export function claimWebhooks(url: string): Promise<PassClaim | null> {
  return claim(url, 'select pg_try_advisory_lock($1::bigint) as got', [WEBHOOKS]);
}

/**
 * An advisory lock of a connection of its own: it ends with the process, however that ends, so a restart need not wait
 * for a lease. The server notices a machine that vanished within 25 seconds and then lets another have it; whoever holds it asks
 * the server often enough to have noticed by then that it does not answer.
 */
async function claim(
  url: string,
  lock: string,
  parameters: unknown[],
  evidence = EVIDENCE,
): Promise<(ServiceClaim & PassClaim) | null> {
  const client = new pg.Client({ connectionString: url, application_name: 'pushforward claim', keepAlive: true });
  const lost = new AbortController();
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  try {
    await client.connect();
    await client.query('set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3');
    const answer = await client.query<{ got: boolean }>(lock, parameters);
    if (answer.rows[0]?.got) {
      const held = () => !lost.signal.aborted;
      const lose = () => {
        lost.abort();
        void client.end().catch(() => {});
      };
      watch(client, held, lose, evidence);
      return { held, lost: lost.signal, release: async () => void (held() && (await client.end())) };
    }
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
  await client.end();
  return null;
}

/** A connection that is cut without a word looks whole from here for hours. */
function watch(client: pg.Client, held: () => boolean, lose: () => void, evidence: typeof EVIDENCE): void {
  const ask = setTimeout(() => {
    if (!held()) return;
    const silent = setTimeout(lose, evidence.silentMs);
    silent.unref();
    client
      .query('select 1')
      .then(() => watch(client, held, lose, evidence), lose)
      .finally(() => clearTimeout(silent));
  }, evidence.askEveryMs);
  ask.unref();
}
