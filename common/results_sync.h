/* Results of the operations that compare tracking tables with the migration files, and repair them. */
#pragma once
#include "common/record.h"

typedef pgconvoy_tenant_sync_status TenantSyncStatus;

extern const RecordType TENANT_SYNC_STATUS;
extern const RecordType TENANT_SYNC_STATUS_CLI; /* id, schema, format, inSync, missing, orphans, error, ... */

typedef pgconvoy_tenant_sync_result TenantSyncResult;

extern const RecordType TENANT_SYNC_RESULT;
extern const RecordType TENANT_SYNC_MARKED_CLI;  /* the CLI's of mark-missing: without removedOrphans */
extern const RecordType TENANT_SYNC_CLEANED_CLI; /* of clean-orphans: without markedMigrations */
