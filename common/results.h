/* Results: what operations return, each struct described once for memory, JSON and wire (see
 * common/record.h).
 *
 * Field names in JSON are those of the contract; fields of ours follow after them. Durations are
 * milliseconds.
 */
#pragma once
#include "common/outcome.h"
#include "common/record.h"
#include "common/results_convert.h"
#include "common/results_drift.h"
#include "common/results_pools.h"
#include "common/results_schema.h"
#include "common/results_seed.h"
#include "common/results_shared.h"
#include "common/results_sync.h"

typedef pgconvoy_tenant_migration_result TenantMigrationResult;

extern const RecordType TENANT_MIGRATION_RESULT;     /* the library's names */
extern const RecordType TENANT_MIGRATION_RESULT_CLI; /* the CLI's: "schema" for "schemaName" */

typedef pgconvoy_tenant_migration_status TenantMigrationStatus;

extern const RecordType TENANT_MIGRATION_STATUS;
extern const RecordType TENANT_MIGRATION_STATUS_CLI; /* id, schema, format, applied, pending, status, ... */

/* discover: the database's tenants in the order the server gave them. Nothing but their ids: a million of
 * them have to fit into one result. */
typedef struct DiscoverResult {
    TextList ids;
    char *error; /* NULL on success, like the three below */
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

#include "common/results_clone.h"
#include "common/results_doctor.h"
#include "common/results_tenants.h"
