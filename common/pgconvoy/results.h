/* pgconvoy's results: what the library's calls return, as plain structures.
 *
 * Each structure holds first the fields of the contract, in its order, then ours. Every pointer in a result
 * belongs to it; the _clear() function that stands in pgconvoy/migrator.h or pgconvoy/pool_manager.h releases
 * all of them and leaves an empty structure. Texts are UTF-8; one that is not stated is NULL and absent from
 * JSON. Durations and times with _ms are milliseconds. Reading a result from several threads is fine,
 * changing it is not.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pgconvoy_texts {
    char **items;
    size_t count;
} pgconvoy_texts;

/* An array of structures, one after the other; the type stands beside each list. */
typedef struct pgconvoy_list {
    void *items;
    size_t count;
} pgconvoy_list;

/* One tenant's migrate, mark-applied. */
typedef struct pgconvoy_tenant_migration_result {
    char *tenant_id;
    char *schema_name;
    bool success;
    pgconvoy_texts applied_migrations; /* committed by this run, in order */
    char *error;                       /* the server's primary message, verbatim; NULL on success */
    int64_t duration_ms;
    char *format;   /* "name", "hash", "drizzle-kit"; NULL when unknown or failed */
    char *database; /* NULL unless several databases are configured */
    char *outcome;  /* outcome_name() */
    char *sqlstate;
    char *detail;
    char *hint;
    char *migration; /* the one that failed */
    int64_t line;    /* 1-based, 0 = not known */
    int64_t column;
    int64_t attempts;
    pgconvoy_texts recovered; /* of applied_migrations: committed by an attempt whose result was lost */
    pgconvoy_texts already;   /* wire only: found applied though planned as pending */
} pgconvoy_tenant_migration_result;

/* One tenant's status. */
typedef struct pgconvoy_tenant_migration_status {
    char *tenant_id;
    char *schema_name;
    int64_t applied_count; /* rows of the tracking table */
    int64_t pending_count;
    pgconvoy_texts pending_migrations;
    char *status; /* "ok", "behind", "error" */
    char *error;
    char *format; /* NULL (null in JSON) without a tracking table */
    char *database;
    char *sqlstate;
    char *outcome;          /* "no_schema" when the schema is missing, else NULL */
    pgconvoy_texts changed; /* applied before, file content differs now (hash formats only) */
    int64_t unexplained;    /* recorded hashes that no file has, while files are pending: those may be changed
                             * ones, which nothing but a journal can tell for sure */
    char *plan;             /* wire only: what a worker that goes on needs to know of this, in its words */
} pgconvoy_tenant_migration_status;

/* One tenant's sync-status. */
typedef struct pgconvoy_tenant_sync_status {
    char *tenant_id;
    char *schema_name;
    pgconvoy_texts missing; /* names of files that are not recorded */
    pgconvoy_texts orphans; /* recorded identifiers (names or hashes) that no file explains, by id */
    bool in_sync;
    char *format; /* NULL (null in JSON) without a tracking table */
    char *error;
    char *database; /* NULL unless several databases are configured */
    char *outcome;  /* "no_schema" when the schema is missing, else NULL */
    char *sqlstate;
    pgconvoy_texts changed; /* of missing: applied before, file content differs now (drizzle-kit only) */
} pgconvoy_tenant_sync_status;

/* One tenant's mark-missing, clean-orphans. */
typedef struct pgconvoy_tenant_sync_result {
    char *tenant_id;
    char *schema_name;
    bool success;
    pgconvoy_texts marked_migrations; /* recorded by this run, in order */
    pgconvoy_texts removed_orphans;   /* identifier of each removed row, by id */
    char *error;                      /* the server's primary message, verbatim; NULL on success */
    int64_t duration_ms;
    char *database; /* NULL unless several databases are configured */
    char *outcome;  /* outcome_name() */
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t attempts;
    pgconvoy_texts recovered; /* of the above: committed by an attempt whose result was lost */
    bool after_loss;          /* wire only: an earlier attempt was lost, so what is done may be its work */
} pgconvoy_tenant_sync_result;

typedef struct pgconvoy_tenant_exists_result {
    char *tenant_id;
    char *schema_name;
    bool exists; /* the schema is there, whether or not we may use it */
    char *error; /* it could not be learned; NULL on success, like the three below */
    char *sqlstate;
    char *detail;
    char *hint;
    char *database; /* NULL unless several databases are configured */
} pgconvoy_tenant_exists_result;

/* create: what migrate says about the tenant, and whether its schema is new. A migration that failed is a
 * failure, with created and appliedMigrations telling what stays. */
typedef struct pgconvoy_tenant_create_result {
    pgconvoy_tenant_migration_result migration;
    bool created; /* by this run; false: the schema was there */
} pgconvoy_tenant_create_result;

typedef struct pgconvoy_tenant_drop_result {
    char *tenant_id;
    char *schema_name;
    bool success;
    bool dropped;              /* by this run; false with success: there was no such schema */
    pgconvoy_texts dependents; /* why it was refused: objects of other schemas, such as "view public.totals";
                            at most ten */
    char *error;
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t duration_ms;
    char *database;
    char *outcome; /* outcome_name() */
    int64_t attempts;
} pgconvoy_tenant_drop_result;

typedef struct pgconvoy_column_drift {
    char *column;
    char *type;     /* "missing", "extra", "type_mismatch", "nullable_mismatch", "default_mismatch",
                       "collation_mismatch", "identity_mismatch", "generated_mismatch", "order_mismatch" */
    char *expected; /* a nullable_mismatch has "true" or "false", in JSON a boolean */
    char *actual;
    char *description;
} pgconvoy_column_drift;

/* Of an index or a constraint: "missing", "extra", "definition_mismatch". */
typedef struct pgconvoy_named_drift {
    char *name;
    char *type;
    char *expected;
    char *actual;
    char *description;
} pgconvoy_named_drift;

/* Of everything else. */
typedef struct pgconvoy_object_drift {
    char *object;
    char *kind;  /* "table", "view", "function", "enum", "type", "sequence", "trigger", "policy", "other",
                    "schema" */
    char *table; /* of a trigger or policy */
    char *type;
    char *expected;
    char *actual;
    char *description;
} pgconvoy_object_drift;

typedef struct pgconvoy_table_drift {
    char *table;
    char *status; /* "missing", "extra", "drifted" */
    pgconvoy_list columns;
    pgconvoy_list indexes;     /* pgconvoy_named_drift */
    pgconvoy_list constraints; /* pgconvoy_named_drift */
    pgconvoy_list objects;     /* pgconvoy_object_drift: the table itself, its triggers and policies */
} pgconvoy_table_drift;

typedef struct pgconvoy_tenant_schema_drift {
    char *tenant_id;
    char *schema_name;
    bool has_drift;
    pgconvoy_list tables;
    int64_t issue_count;
    char *error;
    pgconvoy_list objects; /* pgconvoy_object_drift: what belongs to no table */
    char *database;
    char *sqlstate;
    char *outcome;
    char *detail; /* what is behind an error that says less */
} pgconvoy_tenant_schema_drift;

typedef struct pgconvoy_column_schema {
    char *name;
    char *data_type; /* information_schema's words: "integer", "ARRAY", "USER-DEFINED" */
    char *udt_name;
    bool is_nullable;
    char *column_default;             /* NULL without one, like all texts below */
    int64_t character_maximum_length; /* negative = null, like the two below */
    int64_t numeric_precision;
    int64_t numeric_scale;
    int64_t ordinal_position;
    char *type; /* with modifiers: "character varying(100)" */
    char *collation;
    char *identity;  /* "ALWAYS", "BY DEFAULT" */
    char *generated; /* the expression */
} pgconvoy_column_schema;

typedef struct pgconvoy_index_schema {
    char *name;
    pgconvoy_texts columns; /* expressions as text; INCLUDE columns last */
    bool is_unique;
    bool is_primary;
    char *definition;
    bool invalid; /* left behind by a failed CREATE INDEX CONCURRENTLY */
    char *canonical;
} pgconvoy_index_schema;

typedef struct pgconvoy_constraint_schema {
    char *name;
    char *type; /* "PRIMARY KEY", "UNIQUE", "FOREIGN KEY", "CHECK", "EXCLUDE" */
    pgconvoy_texts columns;
    char *foreign_table;
    pgconvoy_texts foreign_columns;
    char *check_expression;
    char *definition;
    char *canonical;
} pgconvoy_constraint_schema;

typedef struct pgconvoy_table_schema {
    char *name;
    pgconvoy_list columns;     /* pgconvoy_column_schema */
    pgconvoy_list indexes;     /* pgconvoy_index_schema */
    pgconvoy_list constraints; /* pgconvoy_constraint_schema */
    char *definition; /* partitioning, row level security, storage options, ...; NULL for a plain table */
} pgconvoy_table_schema;

/* A view, function, enum, other type, sequence, trigger, policy, or something rarer. */
typedef struct pgconvoy_object_schema {
    char *name;
    char *table; /* of a trigger or policy, else NULL */
    char *definition;
    char *canonical;
} pgconvoy_object_schema;

typedef struct pgconvoy_tenant_schema {
    char *tenant_id;
    char *schema_name;
    pgconvoy_list tables;
    char *introspected_at; /* ISO 8601, UTC */
    pgconvoy_list views;   /* pgconvoy_object_schema, like all below */
    pgconvoy_list functions;
    pgconvoy_list enums;
    pgconvoy_list types;
    pgconvoy_list sequences;
    pgconvoy_list triggers;
    pgconvoy_list policies;
    pgconvoy_list others;
    char *error; /* NULL on success, like all below */
    char *sqlstate;
    char *detail;
    char *hint;
    char *outcome; /* "no_schema" when the schema is missing */
} pgconvoy_tenant_schema;

typedef struct pgconvoy_pool_health {
    char *tenant_id;
    char *schema_name;
    char *status; /* "ok", "degraded" (slow, or somebody waits), "unhealthy" */
    int64_t total_connections;
    int64_t idle_connections;
    int64_t waiting_requests;
    int64_t response_time_ms;
    char *error;
    char *database; /* NULL unless several databases are configured */
} pgconvoy_pool_health;

typedef struct pgconvoy_health_check_result {
    bool healthy;        /* nothing is unhealthy */
    pgconvoy_list pools; /* pgconvoy_pool_health, most recently used first */
    char *shared_db;     /* status; NULL when it was left out */
    int64_t total_pools; /* all pools of the manager, however many were checked */
    int64_t degraded_pools;
    int64_t unhealthy_pools;
    char *timestamp;
    int64_t duration_ms;
    int64_t shared_db_response_time_ms;
    char *shared_db_error;
} pgconvoy_health_check_result;

/* Connections of one pool: lent ones, and idle ones that it used last. */
typedef struct pgconvoy_pool_connections {
    int64_t total, idle, waiting;
} pgconvoy_pool_connections;

typedef struct pgconvoy_tenant_pool_metrics {
    char *tenant_id;
    char *schema_name;
    pgconvoy_pool_connections connections; /* a JSON object of its own: {total, idle, waiting} */
    char *last_accessed_at;
    char *database;
} pgconvoy_tenant_pool_metrics;

typedef struct pgconvoy_metrics_result {
    int64_t total;
    int64_t max_pools;
    pgconvoy_list tenants; /* pgconvoy_tenant_pool_metrics, most recently used first */
    bool shared_initialized;
    pgconvoy_pool_connections shared; /* null in JSON while not initialized */
    char *timestamp;
} pgconvoy_metrics_result;

typedef struct pgconvoy_tenant_warmup_result {
    char *tenant_id;
    bool success;
    bool already_warm;
    int64_t duration_ms;
    char *error;
    char *database;
} pgconvoy_tenant_warmup_result;

typedef struct pgconvoy_warmup_result {
    int64_t total;
    int64_t succeeded;
    int64_t failed;
    int64_t already_warm; /* of succeeded */
    int64_t duration_ms;
    pgconvoy_list details; /* pgconvoy_tenant_warmup_result, in the order asked for */
} pgconvoy_warmup_result;

/* migrate_all, migrate_tenants, mark_all_as_applied: total == succeeded + failed + skipped. */
typedef struct pgconvoy_migration_results {
    int64_t total;
    int64_t succeeded;
    int64_t failed;
    int64_t skipped;
    pgconvoy_list details; /* pgconvoy_tenant_migration_result, in the order of the tenants */
} pgconvoy_migration_results;

/* get_status */
typedef struct pgconvoy_migration_statuses {
    pgconvoy_list details; /* pgconvoy_tenant_migration_status; in JSON the array itself */
} pgconvoy_migration_statuses;

/* get_sync_status */
typedef struct pgconvoy_sync_status {
    int64_t total;
    int64_t in_sync;
    int64_t out_of_sync;
    int64_t error;
    pgconvoy_list details; /* pgconvoy_tenant_sync_status */
} pgconvoy_sync_status;

/* mark_all_missing, clean_all_orphans */
typedef struct pgconvoy_sync_results {
    int64_t total;
    int64_t succeeded;
    int64_t failed;
    pgconvoy_list details; /* pgconvoy_tenant_sync_result */
    int64_t skipped;
} pgconvoy_sync_results;

/* get_schema_drift */
typedef struct pgconvoy_schema_drift_status {
    char *reference_tenant;
    int64_t total;
    int64_t no_drift;
    int64_t with_drift;
    int64_t error;
    pgconvoy_list details; /* pgconvoy_tenant_schema_drift, the reference first */
    char *timestamp;       /* ISO 8601, UTC */
    int64_t duration_ms;
} pgconvoy_schema_drift_status;

/* One tenant's seed. */
typedef struct pgconvoy_tenant_seed_result {
    char *tenant_id;
    char *schema_name;
    bool success;
    char *error; /* the server's primary message, or the callback's, verbatim; NULL on success */
    int64_t duration_ms;
    char *database; /* NULL unless several databases are configured */
    char *outcome;  /* how it ended: "applied", "already" (once, and done before), "error", ... */
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t line; /* of the seed file, 1-based, 0 = not known */
    int64_t column;
    int64_t attempts;
} pgconvoy_tenant_seed_result;

typedef struct pgconvoy_seed_results {
    int64_t total;
    int64_t succeeded;
    int64_t failed;
    int64_t skipped;
    pgconvoy_list details; /* pgconvoy_tenant_seed_result */
} pgconvoy_seed_results;

/* The shared schema's migrate and mark-applied. */
typedef struct pgconvoy_shared_migration_result {
    char *schema_name;
    bool success;
    pgconvoy_texts applied_migrations;
    char *error;
    int64_t duration_ms;
    char *format;
    char *database;
    char *outcome;
    char *sqlstate;
    char *detail;
    char *hint;
    char *migration; /* the one that failed */
    int64_t line;
    int64_t column;
} pgconvoy_shared_migration_result;

typedef struct pgconvoy_shared_migration_status {
    char *schema_name;
    int64_t applied_count;
    int64_t pending_count;
    pgconvoy_texts pending_migrations;
    char *status; /* "ok", "behind", "error" */
    char *error;
    char *format; /* NULL (null in JSON) without a tracking table */
    char *database;
    char *sqlstate;
} pgconvoy_shared_migration_status;

typedef struct pgconvoy_shared_seed_result {
    char *schema_name;
    bool success;
    char *error;
    int64_t duration_ms;
    char *database;
    char *outcome;
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t line;
    int64_t column;
} pgconvoy_shared_seed_result;

/* migrate_all_with_shared; when the shared step failed, the tenants are skipped, or none when they could not
 * be listed. */
typedef struct pgconvoy_migration_with_shared {
    pgconvoy_shared_migration_result shared;
    pgconvoy_migration_results tenants;
} pgconvoy_migration_with_shared;

typedef struct pgconvoy_seed_with_shared {
    pgconvoy_shared_seed_result shared;
    pgconvoy_seed_results tenants;
} pgconvoy_seed_with_shared;

typedef struct pgconvoy_clone_result {
    char *source_tenant;
    char *target_tenant;
    char *target_schema;
    bool success;
    char *error;
    pgconvoy_texts tables; /* copied, by name */
    int64_t duration_ms;
    int64_t rows_copied; /* negative unless data was asked for: then absent from JSON */
    char *database;
    char *outcome;
    char *sqlstate;
    char *detail;
    char *hint;
    pgconvoy_texts warnings; /* what was copied as it is although it may still speak of the source */
} pgconvoy_clone_result;

/* One tenant's convert-format. */
typedef struct pgconvoy_convert_result {
    char *tenant_id;
    char *schema_name;
    bool success;
    char *from; /* format found; NULL without a tracking table */
    char *to;
    int64_t converted; /* rows of the new table; 0 when there was nothing to do */
    char *error;
    int64_t duration_ms;
    char *database;
    char *outcome;
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t attempts;
} pgconvoy_convert_result;

typedef struct pgconvoy_convert_results {
    int64_t total;
    int64_t succeeded;
    int64_t failed;
    int64_t skipped;
    pgconvoy_list details; /* pgconvoy_convert_result */
} pgconvoy_convert_results;

#ifdef __cplusplus
}
#endif
