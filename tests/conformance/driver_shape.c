#include "tests/conformance/driver.h"

#define END \
    {       \
        0   \
    }

const ShapeField SHAPE_MIGRATION[] = {
    {.name = "tenantId"}, {.name = "schemaName"}, {.name = "success"}, {.name = "appliedMigrations"},
    {.name = "error"},    {.name = "durationMs"}, {.name = "format"},  END};

const ShapeField SHAPE_MIGRATIONS[] = {{.name = "total"},   {.name = "succeeded"},        {.name = "failed"},
                                       {.name = "skipped"}, {"details", SHAPE_MIGRATION}, END};

const ShapeField SHAPE_STATUS[] = {{.name = "tenantId"},
                                   {.name = "schemaName"},
                                   {.name = "appliedCount"},
                                   {.name = "pendingCount"},
                                   {.name = "pendingMigrations"},
                                   {.name = "status"},
                                   {.name = "error"},
                                   {.name = "format"},
                                   END};

const ShapeField SHAPE_SYNC_STATUS[] = {
    {.name = "tenantId"}, {.name = "schemaName"}, {.name = "missing"}, {.name = "orphans"},
    {.name = "inSync"},   {.name = "format"},     {.name = "error"},   END};

const ShapeField SHAPE_SYNC_STATUSES[] = {{.name = "total"},
                                          {.name = "inSync"},
                                          {.name = "outOfSync"},
                                          {.name = "error"},
                                          {"details", SHAPE_SYNC_STATUS},
                                          END};

const ShapeField SHAPE_SYNC[] = {
    {.name = "tenantId"},       {.name = "schemaName"}, {.name = "success"},    {.name = "markedMigrations"},
    {.name = "removedOrphans"}, {.name = "error"},      {.name = "durationMs"}, END};

const ShapeField SHAPE_SYNCS[] = {
    {.name = "total"}, {.name = "succeeded"}, {.name = "failed"}, {"details", SHAPE_SYNC}, END};

static const ShapeField COLUMN_DRIFT[] = {{.name = "column"}, {.name = "type"},        {.name = "expected"},
                                          {.name = "actual"}, {.name = "description"}, END};
static const ShapeField INDEX_DRIFT[] = {{.name = "index"},  {.name = "type"},        {.name = "expected"},
                                         {.name = "actual"}, {.name = "description"}, END};
static const ShapeField CONSTRAINT_DRIFT[] = {{.name = "constraint"},  {.name = "type"},
                                              {.name = "expected"},    {.name = "actual"},
                                              {.name = "description"}, END};
static const ShapeField TABLE_DRIFT[] = {{.name = "table"},
                                         {.name = "status"},
                                         {"columns", COLUMN_DRIFT},
                                         {"indexes", INDEX_DRIFT},
                                         {"constraints", CONSTRAINT_DRIFT},
                                         END};

const ShapeField SHAPE_DRIFT[] = {{.name = "tenantId"},
                                  {.name = "schemaName"},
                                  {.name = "hasDrift"},
                                  {"tables", TABLE_DRIFT},
                                  {.name = "issueCount"},
                                  {.name = "error"},
                                  END};

const ShapeField SHAPE_DRIFTS[] = {
    {.name = "referenceTenant"}, {.name = "total"},      {.name = "noDrift"},
    {.name = "withDrift"},       {.name = "error"},      {"details", SHAPE_DRIFT},
    {.name = "timestamp"},       {.name = "durationMs"}, END};

static const ShapeField COLUMN_SCHEMA[] = {{.name = "name"},
                                           {.name = "dataType"},
                                           {.name = "udtName"},
                                           {.name = "isNullable"},
                                           {.name = "columnDefault"},
                                           {.name = "characterMaximumLength"},
                                           {.name = "numericPrecision"},
                                           {.name = "numericScale"},
                                           {.name = "ordinalPosition"},
                                           END};
static const ShapeField INDEX_SCHEMA[] = {{.name = "name"},      {.name = "columns"},    {.name = "isUnique"},
                                          {.name = "isPrimary"}, {.name = "definition"}, END};
static const ShapeField CONSTRAINT_SCHEMA[] = {{.name = "name"},
                                               {.name = "type"},
                                               {.name = "columns"},
                                               {.name = "foreignTable"},
                                               {.name = "foreignColumns"},
                                               {.name = "checkExpression"},
                                               END};
static const ShapeField TABLE_SCHEMA[] = {{.name = "name"},
                                          {"columns", COLUMN_SCHEMA},
                                          {"indexes", INDEX_SCHEMA},
                                          {"constraints", CONSTRAINT_SCHEMA},
                                          END};

const ShapeField SHAPE_SCHEMA[] = {
    {.name = "tenantId"}, {.name = "schemaName"}, {"tables", TABLE_SCHEMA}, {.name = "introspectedAt"}, END};

const ShapeField SHAPE_SEED[] = {{.name = "tenantId"}, {.name = "schemaName"}, {.name = "success"},
                                 {.name = "error"},    {.name = "durationMs"}, END};

const ShapeField SHAPE_SEEDS[] = {{.name = "total"},   {.name = "succeeded"},   {.name = "failed"},
                                  {.name = "skipped"}, {"details", SHAPE_SEED}, END};

const ShapeField SHAPE_SHARED_MIGRATION[] = {{.name = "schemaName"},
                                             {.name = "success"},
                                             {.name = "appliedMigrations"},
                                             {.name = "error"},
                                             {.name = "durationMs"},
                                             {.name = "format"},
                                             END};

const ShapeField SHAPE_SHARED_STATUS[] = {
    {.name = "schemaName"}, {.name = "appliedCount"}, {.name = "pendingCount"}, {.name = "pendingMigrations"},
    {.name = "status"},     {.name = "error"},        {.name = "format"},       END};

const ShapeField SHAPE_MIGRATION_WITH_SHARED[] = {
    {"shared", SHAPE_SHARED_MIGRATION}, {"tenants", SHAPE_MIGRATIONS}, END};

const ShapeField SHAPE_SHARED_SEED[] = {
    {.name = "schemaName"}, {.name = "success"}, {.name = "error"}, {.name = "durationMs"}, END};

const ShapeField SHAPE_SEED_WITH_SHARED[] = {{"shared", SHAPE_SHARED_SEED}, {"tenants", SHAPE_SEEDS}, END};

const ShapeField SHAPE_CLONE[] = {
    {.name = "sourceTenant"}, {.name = "targetTenant"}, {.name = "targetSchema"},
    {.name = "success"},      {.name = "error"},        {.name = "tables"},
    {.name = "durationMs"},   {.name = "rowsCopied"},   END};

static const ShapeField POOL_HEALTH[] = {
    {.name = "tenantId"},         {.name = "schemaName"},      {.name = "status"},
    {.name = "totalConnections"}, {.name = "idleConnections"}, {.name = "waitingRequests"},
    {.name = "responseTimeMs"},   {.name = "error"},           END};

const ShapeField SHAPE_HEALTH[] = {{.name = "healthy"},
                                   {"pools", POOL_HEALTH},
                                   {.name = "sharedDb"},
                                   {.name = "totalPools"},
                                   {.name = "degradedPools"},
                                   {.name = "unhealthyPools"},
                                   {.name = "timestamp"},
                                   {.name = "durationMs"},
                                   {.name = "sharedDbResponseTimeMs"},
                                   {.name = "sharedDbError"},
                                   END};

static const ShapeField POOL_METRICS[] = {
    {.name = "tenantId"}, {.name = "schemaName"}, {.name = "connections"}, {.name = "lastAccessedAt"}, END};
static const ShapeField POOLS_METRICS[] = {
    {.name = "total"}, {.name = "maxPools"}, {"tenants", POOL_METRICS}, END};
static const ShapeField SHARED_METRICS[] = {{.name = "initialized"}, {.name = "connections"}, END};

const ShapeField SHAPE_METRICS[] = {
    {"pools", POOLS_METRICS}, {"shared", SHARED_METRICS}, {.name = "timestamp"}, END};

static const ShapeField TENANT_WARMUP[] = {{.name = "tenantId"},    {.name = "success"},
                                           {.name = "alreadyWarm"}, {.name = "durationMs"},
                                           {.name = "error"},       END};

const ShapeField SHAPE_WARMUP[] = {{.name = "total"},
                                   {.name = "succeeded"},
                                   {.name = "failed"},
                                   {.name = "alreadyWarm"},
                                   {.name = "durationMs"},
                                   {"details", TENANT_WARMUP},
                                   END};

json_t *shape_cut(const json_t *value, const ShapeField *shape)
{
    if (json_is_array(value)) {
        json_t *array = must_json(json_array()), *item;
        size_t index;
        json_array_foreach(value, index, item)
        {
            json_array_append_new(array, shape_cut(item, shape));
        }
        return array;
    }
    if (!json_is_object(value) || shape == NULL)
        return json_incref((json_t *)value);
    json_t *object = must_json(json_object());
    for (const ShapeField *field = shape; field->name != NULL; field++) {
        json_t *item = json_object_get(value, field->name);
        if (item != NULL)
            json_object_set_new(object, field->name, shape_cut(item, field->within));
    }
    return object;
}
