// The npm packages that share tracking tables with pgconvoy, one call a run:
//   node peers.mjs migrate FORMAT FOLDER URL ID...   drizzle-multitenant's migrateAll over these tenants
//   node peers.mjs pending FORMAT FOLDER URL ID...   how many migrations its getStatus says are pending, or -1 for an error
//   node peers.mjs orm FOLDER URL ID...              drizzle-orm's own migrate(), tenant after tenant
// migrate and orm print how many migrations were applied. NODE_MODULES names the folder that holds the packages.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const modules = path.resolve(process.env.NODE_MODULES);
const load = (file) => import(pathToFileURL(path.join(modules, file)));
const require = createRequire(path.join(modules, 'x.js'));
const schemaOf = (id) => `tenant_${id}`;

async function migrator(format, folder, url, ids) {
  const { createMigrator } = await load('drizzle-multitenant/dist/migrator/index.js');
  return createMigrator(
    { connection: { url }, isolation: { strategy: 'schema', schemaNameTemplate: schemaOf }, schemas: { tenant: {} } },
    { migrationsFolder: folder, tenantDiscovery: async () => ids, tableFormat: 'auto', defaultFormat: format });
}

const commands = {
  async migrate(format, folder, url, ...ids) {
    const results = await (await migrator(format, folder, url, ids)).migrateAll({ concurrency: 4 });
    if (results.failed > 0) throw new Error(results.details.find((d) => d.error).error);
    return results.details.reduce((sum, d) => sum + d.appliedMigrations.length, 0);
  },
  async pending(format, folder, url, ...ids) {
    const statuses = await (await migrator(format, folder, url, ids)).getStatus();
    return statuses.some((s) => s.status === 'error') ? -1 : statuses.reduce((sum, s) => sum + s.pendingCount, 0);
  },
  async orm(folder, url, ...ids) {
    const pg = require('pg');
    const { drizzle } = await load('drizzle-orm/node-postgres/index.js');
    const { migrate } = await load('drizzle-orm/node-postgres/migrator.js');
    let applied = 0;
    for (const id of ids) {
      const pool = new pg.Pool({ connectionString: url, max: 1, options: `-c search_path=${schemaOf(id)}` });
      const rows = async () => Number((await pool.query(
        `SELECT CASE WHEN to_regclass('${schemaOf(id)}.__drizzle_migrations') IS NULL THEN 0
           ELSE (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ${schemaOf(id)}.__drizzle_migrations', false, true, '')))[1]::text::int END AS n`)).rows[0].n);
      const before = await rows();
      await migrate(drizzle(pool), { migrationsFolder: folder, migrationsTable: '__drizzle_migrations', migrationsSchema: schemaOf(id) });
      applied += await rows() - before;
      await pool.end();
    }
    return applied;
  },
};

const [command, ...args] = process.argv.slice(2);
console.log(await commands[command](...args));
