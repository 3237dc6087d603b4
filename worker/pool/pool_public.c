/* pgconvoy/pool_manager.h over the pool manager itself: what a caller left out gets its default, what makes
 * no sense is refused by name, and everything else is passed on. */
#include "worker/pool/pool_public.h"
#include "common/buffer.h"
#include "worker/pool/pool_internal.h"
#include "worker/pool/pool_retry.h"
#include <stdlib.h>
#include <string.h>

bool pool_argument_check(const void *argument, const char *name, Error *error)
{
    return argument != NULL || error_set(error, ERROR_USAGE, "%s is NULL", name);
}

static int64_t number_or(int64_t given, int64_t otherwise)
{
    return given != 0 ? given : otherwise;
}

/* For numbers whose 0, inside, means that a thing never happens: outside that is anything negative. */
static int64_t duration_or(int64_t given, int64_t otherwise)
{
    return given < 0 ? 0 : number_or(given, otherwise);
}

static PoolRetry retry_of(const pgconvoy_pool_options *options)
{
    return pool_retry_with_defaults((PoolRetry){.max_attempts = options->retry_max_attempts,
                                                .initial_delay_ms = options->retry_initial_delay_ms,
                                                .max_delay_ms = options->retry_max_delay_ms,
                                                .multiplier = options->retry_multiplier,
                                                .jitter = !options->retry_no_jitter});
}

static PoolManagerOptions with_defaults(const pgconvoy_pool_options *options, const PoolDatabase *databases)
{
    PoolManagerOptions full = POOL_MANAGER_DEFAULTS;
    full.databases = databases;
    full.database_count = options->database_count;
    if (options->schema_template != NULL)
        full.schema_template = options->schema_template;
    if (options->application_name != NULL)
        full.application_name = options->application_name;
    full.schema_name = options->schema_name;
    full.schema_context = options->schema_context;
    full.max_pools = number_or(options->max_pools, full.max_pools);
    full.ttl_ms = duration_or(options->ttl_ms, full.ttl_ms);
    full.cleanup_interval_ms = number_or(options->cleanup_interval_ms, full.cleanup_interval_ms);
    full.max_connections = number_or(options->max_connections, full.max_connections);
    full.idle_timeout_ms = duration_or(options->idle_timeout_ms, full.idle_timeout_ms);
    full.connect_timeout_ms = number_or(options->connect_timeout_ms, full.connect_timeout_ms);
    full.dispose_wait_ms = duration_or(options->dispose_wait_ms, full.dispose_wait_ms);
    full.retry = retry_of(options);
    full.hooks = options->hooks;
    return full;
}

enum { DATABASE_CONNECTIONS = 20 };

static void free_databases(PoolDatabase *databases, size_t count)
{
    for (size_t i = 0; databases != NULL && i < count; i++)
        connection_string_free((ConnectionString *)databases[i].url);
    free(databases);
}

static bool name_is_taken(const PoolDatabase *databases, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(databases[i].name, name) == 0)
            return true;
    return false;
}

static bool read_database(const pgconvoy_pool_database *given, const PoolDatabase *before, size_t count,
                          PoolDatabase *ret_database, Error *error)
{
    const char *name = given->name != NULL ? given->name : "main";
    if (given->url == NULL)
        return error_set(error, ERROR_CONFIG, "database \"%s\" of the pool manager has no url", name);
    if (name_is_taken(before, count, name))
        return error_set(error, ERROR_CONFIG, "database \"%s\" of the pool manager is named twice", name);
    ConnectionString *url = connection_string_new(given->url, error);
    if (url == NULL)
        return false;
    *ret_database = (PoolDatabase){
        .name = name, .url = url, .max_connections = number_or(given->max_connections, DATABASE_CONNECTIONS)};
    return true;
}

/* Their names stay the caller's; the manager copies them. */
static bool read_databases(const pgconvoy_pool_options *options, PoolDatabase **ret_databases, Error *error)
{
    size_t count = options->databases != NULL ? options->database_count : 0;
    if (count == 0)
        return error_set(error, ERROR_CONFIG, "the pool manager has no database");
    PoolDatabase *databases = calloc(count, sizeof *databases);
    if (databases == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        if (read_database(&options->databases[i], databases, i, &databases[i], error))
            continue;
        free_databases(databases, count);
        return false;
    }
    *ret_databases = databases;
    return true;
}

pgconvoy_pool_manager *pgconvoy_pool_manager_new(const pgconvoy_pool_options *options, pgconvoy_error *error)
{
    PoolDatabase *databases = NULL;
    if (!pool_argument_check(options, "options", error) || !read_databases(options, &databases, error))
        return NULL;
    PoolManagerOptions full = with_defaults(options, databases);
    PoolManager *manager = NULL;
    if (full.schema_name != NULL || schema_template_check(full.schema_template, error))
        manager = pool_manager_new(&full, error);
    free_databases(databases, options->database_count);
    return manager;
}

void pgconvoy_pool_manager_dispose(pgconvoy_pool_manager *manager)
{
    if (manager != NULL)
        pool_manager_dispose(manager);
}

void pgconvoy_pool_manager_free(pgconvoy_pool_manager *manager)
{
    pool_manager_free(manager);
}

pgconvoy_db *pgconvoy_pool_manager_get_db(pgconvoy_pool_manager *manager, const char *database,
                                          const char *tenant_id, pgconvoy_error *error)
{
    if (!pool_argument_check(manager, "manager", error) ||
        !pool_argument_check(tenant_id, "tenant_id", error))
        return NULL;
    return pool_manager_get(manager, database, tenant_id, error);
}

pgconvoy_db *pgconvoy_pool_manager_get_db_validated(pgconvoy_pool_manager *manager, const char *database,
                                                    const char *tenant_id, pgconvoy_error *error)
{
    if (!pool_argument_check(manager, "manager", error) ||
        !pool_argument_check(tenant_id, "tenant_id", error))
        return NULL;
    return pool_manager_get_validated(manager, database, tenant_id, error);
}

pgconvoy_db *pgconvoy_pool_manager_get_shared_db(pgconvoy_pool_manager *manager, const char *database,
                                                 pgconvoy_error *error)
{
    if (!pool_argument_check(manager, "manager", error))
        return NULL;
    return pool_manager_get_shared(manager, database, error);
}

pgconvoy_db *pgconvoy_pool_manager_get_shared_db_validated(pgconvoy_pool_manager *manager,
                                                           const char *database, pgconvoy_error *error)
{
    if (!pool_argument_check(manager, "manager", error))
        return NULL;
    return pool_manager_get_shared_validated(manager, database, error);
}

void pgconvoy_db_unref(pgconvoy_db *db)
{
    tenant_pool_unref(db);
}

const char *pgconvoy_db_tenant_id(const pgconvoy_db *db)
{
    return db != NULL ? tenant_pool_tenant_id(db) : NULL;
}

const char *pgconvoy_db_schema(const pgconvoy_db *db)
{
    return db != NULL ? tenant_pool_schema(db) : NULL;
}

/* A pgconvoy_connection is a Connection that the caller may only hand back. */
pgconvoy_connection *pgconvoy_db_acquire(pgconvoy_db *db, int64_t wait_ms, pgconvoy_error *error)
{
    if (!pool_argument_check(db, "db", error))
        return NULL;
    Connection *connection = tenant_pool_acquire(db, wait_ms, error);
    if (connection != NULL) /* our own reports want more words than a libpq program expects */
        PQsetErrorVerbosity(connection_pg(connection), PQERRORS_DEFAULT);
    return (pgconvoy_connection *)connection;
}

struct pg_conn *pgconvoy_connection_pg(pgconvoy_connection *connection)
{
    return connection != NULL ? connection_pg((Connection *)connection) : NULL;
}

void pgconvoy_db_release(pgconvoy_db *db, pgconvoy_connection *connection)
{
    if (db != NULL)
        tenant_pool_release(db, (Connection *)connection);
}

char *pgconvoy_pool_manager_get_schema_name(pgconvoy_pool_manager *manager, const char *tenant_id,
                                            pgconvoy_error *error)
{
    if (!pool_argument_check(manager, "manager", error) ||
        !pool_argument_check(tenant_id, "tenant_id", error))
        return NULL;
    return pool_manager_schema_name(manager, tenant_id, error);
}

bool pgconvoy_pool_manager_has_pool(pgconvoy_pool_manager *manager, const char *database,
                                    const char *tenant_id)
{
    return manager != NULL && pool_manager_has_pool(manager, database, tenant_id);
}

size_t pgconvoy_pool_manager_get_pool_count(pgconvoy_pool_manager *manager)
{
    return manager != NULL ? pool_manager_count(manager) : 0;
}

/* The id, with its database in front when there are several. */
static bool add_label(TextList *ids, const Tenant *tenant, bool several)
{
    Buffer label BUFFER_CLEANUP = {0};
    if (several)
        buffer_appendf(&label, "%s/", tenant->database);
    buffer_append_text(&label, tenant->id);
    return !buffer_failed(&label) && text_list_add(ids, buffer_text(&label));
}

bool pgconvoy_pool_manager_get_active_tenant_ids(pgconvoy_pool_manager *manager, pgconvoy_texts *ret_ids,
                                                 pgconvoy_error *error)
{
    TenantList tenants = {0};
    TextList ids = {0};
    if (!pool_argument_check(manager, "manager", error) || !pool_argument_check(ret_ids, "ret_ids", error))
        return false;
    bool good = pool_manager_active_tenants(manager, &tenants, error);
    for (size_t i = 0; good && i < tenants.count; i++)
        good = add_label(&ids, &tenants.items[i], manager->source_count > 1) || error_memory(error);
    tenant_list_clear(&tenants);
    if (good)
        *ret_ids = ids;
    else
        text_list_clear(&ids);
    return good;
}

void pgconvoy_texts_clear(pgconvoy_texts *texts)
{
    if (texts != NULL)
        text_list_clear(texts);
}

bool pgconvoy_pool_manager_evict_pool(pgconvoy_pool_manager *manager, const char *database,
                                      const char *tenant_id, pgconvoy_error *error)
{
    if (!pool_argument_check(manager, "manager", error) ||
        !pool_argument_check(tenant_id, "tenant_id", error))
        return false;
    return pool_manager_evict(manager, database, tenant_id, error);
}

bool pgconvoy_pool_manager_start_cleanup(pgconvoy_pool_manager *manager, pgconvoy_error *error)
{
    return pool_argument_check(manager, "manager", error) && pool_manager_start_cleanup(manager, error);
}

void pgconvoy_pool_manager_stop_cleanup(pgconvoy_pool_manager *manager)
{
    if (manager != NULL)
        pool_manager_stop_cleanup(manager);
}

bool pgconvoy_pool_manager_cleanup_runs(pgconvoy_pool_manager *manager)
{
    return manager != NULL && pool_manager_cleanup_runs(manager);
}

void pgconvoy_pool_manager_cleanup(pgconvoy_pool_manager *manager)
{
    if (manager != NULL)
        pool_manager_cleanup(manager);
}
