/* Results of the operations that compare tracking tables with the migration files, and repair them. */
#pragma once
#include "common/record.h"

/* One tenant's sync-status. */
typedef struct TenantSyncStatus {
    char *tenant_id;
    char *schema_name;
    TextList missing; /* names of files that are not recorded */
    TextList orphans; /* recorded identifiers (names or hashes) that no file explains, by id */
    bool in_sync;
    char *format; /* NULL (null in JSON) without a tracking table */
    char *error;
    char *database; /* NULL unless several databases are configured */
    char *outcome;  /* "no_schema" when the schema is missing, else NULL */
    char *sqlstate;
    TextList changed; /* of missing: applied before, file content differs now (drizzle-kit only) */
} TenantSyncStatus;

extern const RecordType TENANT_SYNC_STATUS;
extern const RecordType TENANT_SYNC_STATUS_CLI; /* id, schema, format, inSync, missing, orphans, error, ... */

/* One tenant's mark-missing, clean-orphans. */
typedef struct TenantSyncResult {
    char *tenant_id;
    char *schema_name;
    bool success;
    TextList marked_migrations; /* recorded by this run, in order */
    TextList removed_orphans;   /* identifier of each removed row, by id */
    char *error;                /* the server's primary message, verbatim; NULL on success */
    int64_t duration_ms;
    char *database; /* NULL unless several databases are configured */
    char *outcome;  /* outcome_name() */
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t attempts;
    TextList recovered; /* of the above: committed by an attempt whose result was lost */
    bool after_loss;    /* wire only: an earlier attempt was lost, so what is done may be its work */
} TenantSyncResult;

extern const RecordType TENANT_SYNC_RESULT;
extern const RecordType TENANT_SYNC_MARKED_CLI;  /* the CLI's of mark-missing: without removedOrphans */
extern const RecordType TENANT_SYNC_CLEANED_CLI; /* of clean-orphans: without markedMigrations */
