/* Results of a tenant's life cycle: exists, create, drop. */
#pragma once
#include "common/results.h"

typedef struct TenantExistsResult {
    char *tenant_id;
    char *schema_name;
    bool exists; /* the schema is there, whether or not we may use it */
    char *error; /* it could not be learned; NULL on success, like the three below */
    char *sqlstate;
    char *detail;
    char *hint;
    char *database; /* NULL unless several databases are configured */
} TenantExistsResult;

extern const RecordType TENANT_EXISTS_RESULT;

/* create: what migrate says about the tenant, and whether its schema is new. A migration that failed is a
 * failure, with created and appliedMigrations telling what stays. */
typedef struct TenantCreateResult {
    TenantMigrationResult migration;
    bool created; /* by this run; false: the schema was there */
} TenantCreateResult;

extern const RecordType TENANT_CREATE_RESULT;

typedef struct TenantDropResult {
    char *tenant_id;
    char *schema_name;
    bool success;
    bool dropped;        /* by this run; false with success: there was no such schema */
    TextList dependents; /* why it was refused: objects of other schemas, such as "view public.totals"; at
                            most ten */
    char *error;
    char *sqlstate;
    char *detail;
    char *hint;
    int64_t duration_ms;
    char *database;
    char *outcome; /* outcome_name() */
    int64_t attempts;
} TenantDropResult;

extern const RecordType TENANT_DROP_RESULT;
