/* Operations: what a worker can do, one row each. A new operation is a row here and a file in worker/ops/.
 *
 * Parameters and results are records, so the same row also serves wire and JSON.
 */
#pragma once
#include "common/record.h"
#include "common/results.h"

typedef enum OperationId {
    OPERATION_NULL, /* does nothing, successfully: measures the machinery */
    OPERATION_DISCOVER,
    OPERATION_PARSE,
    OPERATION_STATUS,
    OPERATION_MIGRATE,
    OPERATION_MARK_APPLIED,
    OPERATION_SYNC_STATUS,
    OPERATION_MARK_MISSING,
    OPERATION_CLEAN_ORPHANS,
    OPERATION_EXISTS,
    OPERATION_CREATE,
    OPERATION_DROP,
    OPERATION_DIGEST,
    OPERATION_INSPECT,
    OPERATION_INTROSPECT,
    OPERATION_SEED,
    OPERATION_CONVERT,
    OPERATION_CLONE,
    OPERATION_COUNT,
} OperationId;

typedef enum OperationShape {
    OPERATION_DATABASE, /* once for a database; its job carries one tenant with an empty id and schema */
    OPERATION_TENANT,   /* one tenant at a time, each in a slot of its own */
    OPERATION_SET,      /* many tenants in one go, in one slot */
} OperationShape;

typedef struct Operation {
    const char *name;
    OperationShape shape;
    bool writes;
    bool needs_bundle;
    size_t tenants_per_job; /* most tenants of one job */
    const RecordType *result;
} Operation;

const Operation *operation_get(OperationId id);
bool operation_from_name(const char *name, OperationId *ret_id);

/* What may be told to work on the shared schema (RunOptions.shared). */
bool operation_takes_shared(OperationId id);

/* Parameters of a run; every operation reads the ones it knows. Zero or NULL = the default of the settings
 * table. */
typedef struct RunOptions {
    char *migrations_table;
    char *format;         /* "auto", "name", "hash", "drizzle-kit" */
    char *default_format; /* used by auto when there is no tracking table */
    int64_t lock_timeout_ms;
    int64_t lock_attempts;
    int64_t lock_wait_ms;
    int64_t statement_timeout_ms;
    int64_t retry_max_attempts;
    int64_t retry_initial_delay_ms;
    int64_t retry_max_delay_ms;
    int64_t connect_timeout_ms;
    int64_t set_lock_timeout_ms; /* lock_timeout of set reads, 1 s */
    bool strict;                 /* refuse tenants with changed files */
    bool dry_run;
    char *discover_query;    /* discover: query, or ... */
    char *schema_template;   /* ... the template to invert over the catalog's schemas */
    bool create_only;        /* create: no migrations */
    bool no_cascade;         /* drop: only an empty schema */
    bool cascade_foreign;    /* drop: also what depends on the schema's objects in other schemas */
    TextList exclude_tables; /* digest, introspect, clone: besides the tracking table and our own */
    bool no_indexes;         /* digest, introspect: leave these out */
    bool no_constraints;
    bool shared;          /* migrate, status, mark-applied, seed: of the shared schema, public */
    bool once;            /* seed: not again where this seed is recorded */
    bool by_callback;     /* seed: by the hosting program's callback, not by the bundle's file */
    char *source_id;      /* clone: the tenant to copy, ... */
    char *source_schema;  /* ... and its schema in the same database */
    bool with_data;       /* clone: rows too */
    RecordList anonymize; /* clone: AnonymizeRule, instead of the column's own values */
    char *to_format;      /* convert-format: "name", "hash", "drizzle-kit" */
} RunOptions;

/* clone: every row of table.column gets this value. */
typedef struct AnonymizeRule {
    char *table;
    char *column;
    char *value; /* NULL = null; else a literal of the column's type */
} AnonymizeRule;

extern const RecordType ANONYMIZE_RULE;

extern const RecordType RUN_OPTIONS;
