/* Results: what operations return, each struct described once for memory, JSON and wire (see
 * common/record.h).
 *
 * Field names in JSON are those of the contract; fields of ours follow after them. Durations are
 * milliseconds.
 */
#pragma once
#include "common/outcome.h"
#include "common/record.h"
#include "common/results_drift.h"
#include "common/results_schema.h"
#include "common/results_sync.h"

/* One tenant's migrate, mark-applied. */
typedef struct TenantMigrationResult {
    char *tenant_id;
    char *schema_name;
    bool success;
    TextList applied_migrations; /* committed by this run, in order */
    char *error;                 /* the server's primary message, verbatim; NULL on success */
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
    TextList recovered; /* of applied_migrations: committed by an attempt whose result was lost */
    TextList already;   /* wire only: found applied though planned as pending */
} TenantMigrationResult;

extern const RecordType TENANT_MIGRATION_RESULT;     /* the library's names */
extern const RecordType TENANT_MIGRATION_RESULT_CLI; /* the CLI's: "schema" for "schemaName" */

/* One tenant's status. */
typedef struct TenantMigrationStatus {
    char *tenant_id;
    char *schema_name;
    int64_t applied_count; /* rows of the tracking table */
    int64_t pending_count;
    TextList pending_migrations;
    char *status; /* "ok", "behind", "error" */
    char *error;
    char *format; /* NULL (null in JSON) without a tracking table */
    char *database;
    char *sqlstate;
    char *outcome;    /* "no_schema" when the schema is missing, else NULL */
    TextList changed; /* applied before, file content differs now (hash formats only) */
} TenantMigrationStatus;

extern const RecordType TENANT_MIGRATION_STATUS;
extern const RecordType TENANT_MIGRATION_STATUS_CLI; /* id, schema, format, applied, pending, status, ... */

/* discover: tenants in the order the server gave them. Results of a tenant-less operation. */
typedef struct DiscoverResult {
    RecordList tenants; /* Tenant; schema is set by `schemas` discovery, else "" */
    char *error;        /* NULL on success, like the four below */
    char *sqlstate;
    char *detail;
    char *hint;
} DiscoverResult;

extern const RecordType DISCOVER_RESULT;

/* parse: files that the server's parser refused. */
typedef struct ParseFailure {
    char *migration;
    char *error;
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t line;
    int64_t column;
} ParseFailure;

extern const RecordType PARSE_FAILURE;

typedef struct ParseResult {
    RecordList failures; /* ParseFailure */
    char *error;         /* the check itself could not be made (connection, privileges) */
    char *sqlstate;
    char *detail;
    char *hint;
    char *server_version; /* "15.18" */
} ParseResult;

extern const RecordType PARSE_RESULT;

#include "common/results_tenants.h"
