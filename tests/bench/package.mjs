// The npm package's side of the bench: node package.mjs migrate|status|drift URL TENANTS MIGRATIONS
// NODE_MODULES names the folder with drizzle-multitenant, drizzle-orm and pg. Exits 0 when every tenant succeeded.
import { pathToFileURL } from 'node:url';

const modules = process.env.NODE_MODULES;
const { createMigrator } = await import(
  pathToFileURL(`${modules}/drizzle-multitenant/dist/migrator/index.js`).href);

const [what, url, tenants, folder] = process.argv.slice(2);
const ids = Array.from({ length: Number(tenants) }, (_, i) => `t${String(i + 1).padStart(6, '0')}`);
const migrator = createMigrator(
  { connection: { url }, isolation: { strategy: 'schema', schemaNameTemplate: (id) => `tenant_${id}` },
    schemas: { tenant: {} } },
  { migrationsFolder: folder, tenantDiscovery: async () => ids });
const operations = {
  migrate: async () => (await migrator.migrateAll({ concurrency: 10 })).succeeded,
  status: async () => (await migrator.getStatus()).filter((tenant) => tenant.status === 'ok').length,
  drift: async () => (await migrator.getSchemaDrift({ concurrency: 10 })).total,
};
const done = await operations[what]();
console.log(JSON.stringify({ what, tenants: ids.length, done }));
process.exit(done === ids.length ? 0 : 1);
