/* The migrator: everything that the commands of pgconvoy do, as calls.
 *
 * A call runs the same engine as the command of its name: it gathers workers (one hosted inside this process
 * unless the settings name others), asks who the tenants are, and works on them side by side. It returns when
 * everybody's fate is known. What goes wrong with one tenant is in that tenant's result; a call returns
 * false, with *error filled and its result untouched, only when it could not be made at all: no such folder,
 * discovery failed, no worker, a bad argument. One that broke off half-way, because its last worker was lost,
 * returns false too, and its result says what became of everybody.
 *
 * Threads: calls on one migrator may come from several threads at a time and are independent runs. Callbacks
 * come from threads of the library, one at a time within one call. No call installs a signal handler or
 * changes the caller's signal mask; the library's threads block all signals.
 *
 * Options structures may be NULL for the defaults, and are zeroed to begin: pgconvoy_run_options options =
 * {.concurrency = 20}. Results are zeroed to begin too, filled in, and released with the _clear() function of
 * their type, which is fine with a zeroed one; a result and an error that are not wanted may be NULL.
 *
 * `db/id` names a tenant of one of several databases. A tenant of which nothing can be made fails alone: an
 * id that is empty, too long, not UTF-8 or with a control character, a schema name longer than 63 bytes or
 * reserved (public, information_schema, pg_*), two tenants of one call that would share a schema.
 */
#pragma once
#include <pgconvoy/error.h>
#include <pgconvoy/hooks.h>
#include <pgconvoy/results.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pg_conn; /* libpq's PGconn */

typedef struct pgconvoy_migrator pgconvoy_migrator;

typedef struct pgconvoy_database {
    const char *name;        /* NULL = "main" */
    const char *url;         /* as libpq takes it: postgres://..., or key=value pairs */
    int64_t max_connections; /* of all calls' workers to it; 0 = 20 */
} pgconvoy_database;

/* All texts are copied. NULL or 0 means the default, or what the configuration file says. */
typedef struct pgconvoy_migrator_options {
    /* A pgconvoy.yaml to start from; NULL = none. The library looks at no environment variable of its own. */
    const char *config_file;
    /* More settings, as in that file: "run.lock_timeout_ms", "2000", "coordinator.workers",
     * "tcp://10.0.0.7:5571", NULL. Texts by pairs, ended by NULL. */
    const char *const *settings;

    const pgconvoy_database *databases;
    size_t database_count;

    const char *schema_template; /* "tenant_{id}" */
    /* Instead of the template: the tenant's schema name, for free(), or NULL and an error, which then is that
     * tenant's alone. */
    char *(*schema_name)(void *context, const char *tenant_id, pgconvoy_error *error);
    /* Who the tenants are: adds ids with pgconvoy_texts_add(). NULL = as the configuration file says. */
    bool (*discover)(void *context, pgconvoy_texts *ret_ids, pgconvoy_error *error);

    const char *migrations_folder; /* "./migrations" */
    const char *migrations_table;  /* "__drizzle_migrations" */
    const char *table_format;      /* "auto", "name", "hash", "drizzle-kit" */
    const char *default_format;    /* of a table that has to be created: "name" */

    const char *shared_folder; /* none: the calls about the shared schema fail */
    const char *shared_table;  /* "__drizzle_shared_migrations" */
    const char *shared_table_format;
    const char *shared_default_format;

    pgconvoy_hooks hooks;        /* around every tenant and migration of every call */
    pgconvoy_hooks shared_hooks; /* the same around the shared schema */
    void *context;               /* of schema_name and discover */
} pgconvoy_migrator_options;

/* Reads the configuration and checks the options; connects to nothing. NULL with an error when one is wrong.
 */
PGCONVOY_EXPORT pgconvoy_migrator *pgconvoy_migrator_new(const pgconvoy_migrator_options *options,
                                                         pgconvoy_error *error);

/* No call may be running. NULL is fine. */
PGCONVOY_EXPORT void pgconvoy_migrator_free(pgconvoy_migrator *migrator);

/* Adds a copy of text; false when memory ran out. */
PGCONVOY_EXPORT bool pgconvoy_texts_add(pgconvoy_texts *texts, const char *text);

/* What to do after a tenant has failed. */
typedef enum pgconvoy_decision { PGCONVOY_CONTINUE, PGCONVOY_ABORT } pgconvoy_decision;

/* How a call goes over many tenants. */
typedef struct pgconvoy_run_options {
    int64_t concurrency; /* tenants at a time, 0 = 10; batches of that many, one after the other */
    bool dry_run;        /* say what would be done and write nothing */

    /* Called once for each tenant that failed, before the next batch begins; abort leaves everybody who has
     * not begun as skipped. NULL = continue. */
    pgconvoy_decision (*on_error)(void *context, const char *tenant_id, const char *message);
    /* status: "starting", "migrating" (with the migration's name, else NULL), "seeding", "introspecting",
     * "comparing", "completed", "failed". tenant_id NULL: the shared schema. Returning false fails the
     * tenant. This, hooks and seeds need a worker in this process: with workers elsewhere a call that has one
     * of them to call fails. */
    bool (*on_progress)(void *context, const char *tenant_id, const char *status, const char *migration,
                        pgconvoy_error *error);
    void *context;
} pgconvoy_run_options;

/* A migration that comes from the caller instead of the folder. */
typedef struct pgconvoy_migration {
    const char *name;
    const char *sql;
    const char *hash; /* NULL = SHA-256 of sql */
    int64_t when_ms;  /* what the drizzle-kit format stores; 0 = now */
} pgconvoy_migration;

typedef struct pgconvoy_migrations {
    const pgconvoy_migration *items; /* in the order to be applied */
    size_t count;
} pgconvoy_migrations;

/* --- Migrations -------------------------------------------------------------------------------------- */

PGCONVOY_EXPORT bool pgconvoy_migrate_all(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                                          pgconvoy_migration_results *ret_results, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_migrate_tenants(pgconvoy_migrator *migrator, const char *const *tenant_ids,
                                              size_t count, const pgconvoy_run_options *options,
                                              pgconvoy_migration_results *ret_results, pgconvoy_error *error);

/* `migrations` NULL = the folder's; here and below. */
PGCONVOY_EXPORT bool pgconvoy_migrate_tenant(pgconvoy_migrator *migrator, const char *tenant_id,
                                             const pgconvoy_migrations *migrations,
                                             const pgconvoy_run_options *options,
                                             pgconvoy_tenant_migration_result *ret_result,
                                             pgconvoy_error *error);
/* on_progress hears of the migrations alone. */
PGCONVOY_EXPORT bool pgconvoy_mark_as_applied(pgconvoy_migrator *migrator, const char *tenant_id,
                                              const pgconvoy_run_options *options,
                                              pgconvoy_tenant_migration_result *ret_result,
                                              pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_mark_all_as_applied(pgconvoy_migrator *migrator,
                                                  const pgconvoy_run_options *options,
                                                  pgconvoy_migration_results *ret_results,
                                                  pgconvoy_error *error);

/* --- Status ------------------------------------------------------------------------------------------ */

PGCONVOY_EXPORT bool pgconvoy_get_status(pgconvoy_migrator *migrator,
                                         pgconvoy_migration_statuses *ret_statuses, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_get_tenant_status(pgconvoy_migrator *migrator, const char *tenant_id,
                                                const pgconvoy_migrations *migrations,
                                                pgconvoy_tenant_migration_status *ret_status,
                                                pgconvoy_error *error);

/* --- A tenant's life --------------------------------------------------------------------------------- */

typedef struct pgconvoy_create_options {
    bool no_migrations; /* leave the schema empty */
} pgconvoy_create_options;

/* A migration that fails is a failure of the call: *ret_result, which may be NULL, tells what stays. */
PGCONVOY_EXPORT bool pgconvoy_create_tenant(pgconvoy_migrator *migrator, const char *tenant_id,
                                            const pgconvoy_create_options *options,
                                            pgconvoy_tenant_create_result *ret_result, pgconvoy_error *error);

typedef struct pgconvoy_drop_options {
    bool no_cascade;      /* only an empty schema */
    bool cascade_foreign; /* also what depends on the tenant in other schemas */
} pgconvoy_drop_options;

/* Dropping what is not there is fine. */
PGCONVOY_EXPORT bool pgconvoy_drop_tenant(pgconvoy_migrator *migrator, const char *tenant_id,
                                          const pgconvoy_drop_options *options,
                                          pgconvoy_tenant_drop_result *ret_result, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_tenant_exists(pgconvoy_migrator *migrator, const char *tenant_id,
                                            bool *ret_exists, pgconvoy_error *error);

typedef struct pgconvoy_clone_rule {
    const char *table;
    const char *column;
    const char *value; /* every row's; NULL = null */
} pgconvoy_clone_rule;

typedef struct pgconvoy_clone_options {
    bool with_data;
    const char *const *exclude_tables;
    size_t exclude_count;
    const pgconvoy_clone_rule *anonymize;
    size_t anonymize_count;
    /* With the target's id; status: "starting", then the steps of the one transaction, "introspecting",
     * "creating_schema", "creating_tables", "copying_data" (with data only, and again for each table, with
     * its name in `migration`), "creating_constraints", "creating_indexes", then "completed" or "failed".
     * Returning false ends the clone, which leaves nothing. Workers elsewhere keep the steps to themselves.
     */
    bool (*on_progress)(void *context, const char *tenant_id, const char *status, const char *migration,
                        pgconvoy_error *error);
    void *context;
} pgconvoy_clone_options;

PGCONVOY_EXPORT bool pgconvoy_clone_tenant(pgconvoy_migrator *migrator, const char *source_id,
                                           const char *target_id, const pgconvoy_clone_options *options,
                                           pgconvoy_clone_result *ret_result, pgconvoy_error *error);

/* --- Tracking tables and files ------------------------------------------------------------------------ */

PGCONVOY_EXPORT bool pgconvoy_get_sync_status(pgconvoy_migrator *migrator, pgconvoy_sync_status *ret_status,
                                              pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_get_tenant_sync_status(pgconvoy_migrator *migrator, const char *tenant_id,
                                                     const pgconvoy_migrations *migrations,
                                                     pgconvoy_tenant_sync_status *ret_status,
                                                     pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_mark_missing(pgconvoy_migrator *migrator, const char *tenant_id,
                                           pgconvoy_tenant_sync_result *ret_result, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_mark_all_missing(pgconvoy_migrator *migrator,
                                               const pgconvoy_run_options *options,
                                               pgconvoy_sync_results *ret_results, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_clean_orphans(pgconvoy_migrator *migrator, const char *tenant_id,
                                            pgconvoy_tenant_sync_result *ret_result, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_clean_all_orphans(pgconvoy_migrator *migrator,
                                                const pgconvoy_run_options *options,
                                                pgconvoy_sync_results *ret_results, pgconvoy_error *error);

/* to_format: "name", "hash", "drizzle-kit". */
PGCONVOY_EXPORT bool pgconvoy_convert_format(pgconvoy_migrator *migrator, const char *to_format,
                                             const pgconvoy_run_options *options,
                                             pgconvoy_convert_results *ret_results, pgconvoy_error *error);

/* --- Drift ------------------------------------------------------------------------------------------- */

typedef struct pgconvoy_drift_options {
    const char *reference;         /* NULL = the first tenant */
    const char *const *tenant_ids; /* NULL = everybody; a list of none is nobody */
    size_t tenant_count;
    bool no_indexes;
    bool no_constraints;
    const char *const *exclude_tables; /* besides the tracking table */
    size_t exclude_count;
    int64_t concurrency;
    bool (*on_progress)(void *context, const char *tenant_id, const char *status, const char *migration,
                        pgconvoy_error *error);
    void *context;
} pgconvoy_drift_options;

PGCONVOY_EXPORT bool pgconvoy_get_schema_drift(pgconvoy_migrator *migrator,
                                               const pgconvoy_drift_options *options,
                                               pgconvoy_schema_drift_status *ret_status,
                                               pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_get_tenant_schema_drift(pgconvoy_migrator *migrator, const char *tenant_id,
                                                      const char *reference_id,
                                                      const pgconvoy_drift_options *options,
                                                      pgconvoy_tenant_schema_drift *ret_drift,
                                                      pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_introspect_tenant_schema(pgconvoy_migrator *migrator, const char *tenant_id,
                                                       const char *const *exclude_tables,
                                                       size_t exclude_count,
                                                       pgconvoy_tenant_schema *ret_schema,
                                                       pgconvoy_error *error);

/* --- Seeds ------------------------------------------------------------------------------------------- */

/* Fills one tenant with data in a transaction that is open already and is committed afterwards; the
 * connection is lent for this call only. Returning false rolls everything back. NULL as tenant_id: the shared
 * schema. */
typedef bool pgconvoy_seed(void *context, const char *tenant_id, struct pg_conn *connection,
                           pgconvoy_error *error);

PGCONVOY_EXPORT bool pgconvoy_seed_tenant(pgconvoy_migrator *migrator, const char *tenant_id,
                                          pgconvoy_seed *seed, void *context,
                                          pgconvoy_tenant_seed_result *ret_result, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_seed_all(pgconvoy_migrator *migrator, pgconvoy_seed *seed, void *context,
                                       const pgconvoy_run_options *options,
                                       pgconvoy_seed_results *ret_results, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_seed_tenants(pgconvoy_migrator *migrator, const char *const *tenant_ids,
                                           size_t count, pgconvoy_seed *seed, void *context,
                                           const pgconvoy_run_options *options,
                                           pgconvoy_seed_results *ret_results, pgconvoy_error *error);

/* --- The shared schema, public ------------------------------------------------------------------------ */

/* These work on the shared schema of every database; of several databases, a result speaks of the first that
 * failed, else of the first. Without a shared schema the four calls about it alone say so in their results,
 * or in `error` to a caller that takes none. */
PGCONVOY_EXPORT bool pgconvoy_has_shared_migrations(const pgconvoy_migrator *migrator);
PGCONVOY_EXPORT bool pgconvoy_migrate_shared(pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                                             pgconvoy_shared_migration_result *ret_result,
                                             pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_mark_shared_as_applied(pgconvoy_migrator *migrator,
                                                     const pgconvoy_run_options *options,
                                                     pgconvoy_shared_migration_result *ret_result,
                                                     pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_get_shared_status(pgconvoy_migrator *migrator,
                                                pgconvoy_shared_migration_status *ret_status,
                                                pgconvoy_error *error);

/* The tenants are skipped when the shared schema failed. */
PGCONVOY_EXPORT bool pgconvoy_migrate_all_with_shared(pgconvoy_migrator *migrator,
                                                      const pgconvoy_run_options *options,
                                                      pgconvoy_migration_with_shared *ret_results,
                                                      pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_seed_shared(pgconvoy_migrator *migrator, pgconvoy_seed *seed, void *context,
                                          pgconvoy_shared_seed_result *ret_result, pgconvoy_error *error);
PGCONVOY_EXPORT bool pgconvoy_seed_all_with_shared(pgconvoy_migrator *migrator, pgconvoy_seed *shared_seed,
                                                   pgconvoy_seed *seed, void *context,
                                                   const pgconvoy_run_options *options,
                                                   pgconvoy_seed_with_shared *ret_results,
                                                   pgconvoy_error *error);

/* --- What every result has ---------------------------------------------------------------------------- */

/* PGCONVOY_RESULT(TYPE) declares, for pgconvoy_TYPE:
 *   void pgconvoy_TYPE_clear(pgconvoy_TYPE *result)        releases what it owns and empties it
 *   char *pgconvoy_TYPE_json(const pgconvoy_TYPE *result)  the contract's JSON, ours after it, on one line;
 *                                                          for free(), NULL when memory ran out */
#define PGCONVOY_RESULT(TYPE)                                              \
    PGCONVOY_EXPORT void pgconvoy_##TYPE##_clear(pgconvoy_##TYPE *result); \
    PGCONVOY_EXPORT char *pgconvoy_##TYPE##_json(const pgconvoy_##TYPE *result)

PGCONVOY_RESULT(migration_results);
PGCONVOY_RESULT(tenant_migration_result);
PGCONVOY_RESULT(migration_statuses);
PGCONVOY_RESULT(tenant_migration_status);
PGCONVOY_RESULT(tenant_create_result);
PGCONVOY_RESULT(tenant_drop_result);
PGCONVOY_RESULT(sync_status);
PGCONVOY_RESULT(tenant_sync_status);
PGCONVOY_RESULT(sync_results);
PGCONVOY_RESULT(tenant_sync_result);
PGCONVOY_RESULT(schema_drift_status);
PGCONVOY_RESULT(tenant_schema_drift);
PGCONVOY_RESULT(tenant_schema);
PGCONVOY_RESULT(seed_results);
PGCONVOY_RESULT(tenant_seed_result);
PGCONVOY_RESULT(shared_migration_result);
PGCONVOY_RESULT(shared_migration_status);
PGCONVOY_RESULT(shared_seed_result);
PGCONVOY_RESULT(migration_with_shared);
PGCONVOY_RESULT(seed_with_shared);
PGCONVOY_RESULT(clone_result);
PGCONVOY_RESULT(convert_results);

#ifdef __cplusplus
}
#endif
