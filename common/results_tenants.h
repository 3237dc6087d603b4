/* Results of a tenant's life cycle: exists, create, drop. */
#pragma once
#include "common/results.h"

typedef pgconvoy_tenant_exists_result TenantExistsResult;

extern const RecordType TENANT_EXISTS_RESULT;

typedef pgconvoy_tenant_create_result TenantCreateResult;

extern const RecordType TENANT_CREATE_RESULT;

typedef pgconvoy_tenant_drop_result TenantDropResult;

extern const RecordType TENANT_DROP_RESULT;
