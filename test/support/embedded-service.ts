/** A service that starts its PostgreSQL, writes a row, says where it is and waits to be killed. */
import { openDatabase, migrate } from '../../src/adapters/database/connection.ts';
import { startEmbeddedPostgres } from '../../src/adapters/database/embedded.ts';
import { silentLog } from '../../src/base/log.ts';

const server = await startEmbeddedPostgres({ dataDir: process.argv[2]!, log: silentLog });
const db = openDatabase({ url: server.url });
await migrate(db);
await db.insertInto('projects').values({ id: 'acknowledged', name: 'acknowledged' }).execute();
process.stdout.write(`${JSON.stringify({ url: server.url, adopted: server.adopted })}\n`);
setInterval(() => {}, 1000);
