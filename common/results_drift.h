/* Results of comparing schemas: what one tenant has, lacks, or has otherwise than the reference.
 *
 * `expected` is the reference's, `actual` the tenant's; a side that has nothing is absent.
 */
#pragma once
#include "common/record.h"

typedef pgconvoy_column_drift ColumnDrift;

typedef pgconvoy_named_drift NamedDrift;

typedef pgconvoy_object_drift ObjectDrift;

typedef pgconvoy_table_drift TableDrift;

typedef pgconvoy_tenant_schema_drift TenantSchemaDrift;

extern const RecordType COLUMN_DRIFT, INDEX_DRIFT, CONSTRAINT_DRIFT, OBJECT_DRIFT, TABLE_DRIFT;
extern const RecordType TENANT_SCHEMA_DRIFT;     /* the library's names */
extern const RecordType TENANT_SCHEMA_DRIFT_CLI; /* the CLI's: id, schema, and "name" of a table */
