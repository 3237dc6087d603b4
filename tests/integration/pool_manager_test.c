/* The contract's pool manager on a real server: caching, order, sessions, reports. */
#include "tests/integration/pool_fixture.h"
#include "worker/pg/session.h"

static void the_same_tenant_has_the_same_pool_and_opens_nothing(void **state)
{
    (void)state;
    PoolManager *manager = make_default_manager();
    TenantPool *first = must_get(manager, "a"), *second = must_get(manager, "a");
    assert_ptr_equal(first, second);
    assert_string_equal(tenant_pool_schema(first), "tenant_a");
    assert_heard("+a ");
    assert_int_equal(pool_manager_count(manager), 1);
    assert_true(pool_manager_has_pool(manager, NULL, "a"));
    assert_false(pool_manager_has_pool(manager, NULL, "b"));
    assert_int_equal(
        sql_number(admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgconvoy'"), 0);
    tenant_pool_unref(first);
    tenant_pool_unref(second);
    pool_manager_free(manager);
    assert_heard("-a ");
}

static void evicts_the_least_recently_accessed(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.max_pools = 3;
    PoolManager *manager = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    for (const char *id = "abc"; *id != '\0'; id++)
        access_tenant(manager, (char[]){*id, '\0'});
    access_tenant(manager, "a");
    /* looking is no access */
    HealthCheckResult health = {0};
    MetricsResult metrics = {0};
    TenantList named = {0};
    assert_true(tenant_list_add(&named, "main", "b", &error));
    assert_true(pool_manager_has_pool(manager, NULL, "b"));
    assert_true(
        pool_manager_health_check(manager, &(HealthCheckOptions){.tenants = &named}, &health, &error));
    assert_true(pool_manager_metrics(manager, &metrics, &error));
    access_tenant(manager, "d");
    assert_heard("+a +b +c +d -b ");
    assert_int_equal(pool_manager_count(manager), 3);
    TenantList active = {0};
    assert_true(pool_manager_active_tenants(manager, &active, &error));
    assert_int_equal(active.count, 3);
    assert_string_equal(active.items[0].id, "a");
    assert_string_equal(active.items[1].id, "c");
    assert_string_equal(active.items[2].id, "d");
    record_clear(&HEALTH_CHECK_RESULT, &health);
    record_clear(&METRICS_RESULT, &metrics);
    tenant_list_clear(&active);
    tenant_list_clear(&named);
    pool_manager_free(manager);
    assert_heard("-a -c -d ");
}

static void expired_pools_go_unless_they_are_lent_from(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.ttl_ms = 100;
    PoolManager *manager = make_manager(&options);
    TenantPool *pool = must_get(manager, "a");
    Connection *connection = must_acquire(pool);
    access_tenant(manager, "b");
    atomic_fetch_add(&test_time_ms, 60);
    access_tenant(manager, "c");
    atomic_fetch_add(&test_time_ms, 60);
    pool_manager_cleanup(manager);
    assert_heard("+a +b +c -b ");
    tenant_pool_release(pool, connection);
    tenant_pool_unref(pool);
    pool_manager_cleanup(manager);
    assert_heard("-a ");
    assert_int_equal(pool_manager_count(manager), 1);
    pool_manager_free(manager);
}

static void sessions_are_bound_by_quoted_identifier(void **state)
{
    (void)state;
    static const char *const IDS[] = {"Acme",    "zz,tenant_a", "x\\y", "with space",
                                      "quo\"te", "semi;colon",  "a'b"};
    PoolManager *manager = make_default_manager();
    for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++) {
        char *schema = NULL;
        assert_true(asprintf(&schema, "tenant_%s", IDS[i]) > 0);
        char *quoted = PQescapeIdentifier(admin, schema, strlen(schema));
        sql_run(admin, "CREATE SCHEMA %s", quoted);
        TenantPool *pool = must_get(manager, IDS[i]);
        assert_query(pool, "SELECT current_schema()", schema);
        assert_query(pool,
                     "CREATE TABLE made (n int); SELECT relnamespace::regnamespace::text = "
                     "quote_ident(current_schema()) FROM pg_class WHERE oid = 'made'::regclass",
                     "t");
        tenant_pool_unref(pool);
        sql_run(admin, "DROP SCHEMA %s CASCADE", quoted);
        PQfreemem(quoted);
        free(schema);
    }
    pool_manager_free(manager);
}

static void a_missing_or_forbidden_schema_never_falls_through_to_public(void **state)
{
    (void)state;
    PoolManager *manager = make_default_manager();
    Error error ERROR_CLEANUP = {0};
    TenantPool *pool = must_get(manager, "ghost");
    assert_null(tenant_pool_acquire(pool, 0, &error));
    assert_int_equal(error.code, ERROR_NO_SCHEMA);
    assert_string_equal(error.message, "schema \"tenant_ghost\" does not exist");
    assert_string_equal(error.tenant, "ghost");
    tenant_pool_unref(pool);

    sql_run(admin, "CREATE SCHEMA tenant_short");
    pool = must_get(manager, "short");
    assert_query(pool, "SELECT current_schema()", "tenant_short");
    sql_run(admin, "DROP SCHEMA tenant_short"); /* under a pool that worked a moment ago */
    assert_null(tenant_pool_acquire(pool, 0, &error));
    assert_int_equal(error.code, ERROR_NO_SCHEMA);
    tenant_pool_unref(pool);
    pool_manager_free(manager);

    sql_run(admin, "CREATE ROLE stranger LOGIN");
    char text[128];
    snprintf(text, sizeof text, "postgresql://stranger@127.0.0.1:%d/postgres", cluster->port);
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    ConnectionString *stranger = connection_string_new(text, &error);
    database.url = stranger;
    manager = make_manager(&options);
    pool = must_get(manager, "a");
    assert_null(tenant_pool_acquire(pool, 0, &error));
    assert_int_equal(error.code, ERROR_SERVER);
    assert_string_equal(error.sqlstate, "42501");
    tenant_pool_unref(pool);
    pool_manager_free(manager);
    connection_string_free(stranger);
    sql_run(admin, "DROP ROLE stranger");
}

static void nothing_of_a_session_reaches_the_next_tenant(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    database.max_connections = 1;
    PoolManager *manager = make_manager(&options);
    TenantPool *a = must_get(manager, "a"), *b = must_get(manager, "b");
    Connection *connection = must_acquire(a);
    int pid = PQbackendPID(connection_pg(connection));
    free(answer(connection,
                "SET search_path = tenant_f; SET statement_timeout = 77; CREATE TEMP TABLE own (n int); "
                "PREPARE p AS SELECT 1; LISTEN x; SELECT pg_advisory_lock(4711); "
                "SET application_name = 'mine'; BEGIN; CREATE TABLE tenant_a.undone (n int); "
                "DECLARE c CURSOR FOR SELECT 1"));
    PQsetnonblocking(connection_pg(connection), 1);
    tenant_pool_release(a, connection);
    connection = must_acquire(b);
    assert_int_equal(PQbackendPID(connection_pg(connection)), pid); /* or nothing would be proven */
    assert_answer(connection, "SELECT name FROM own", "b");
    assert_answer(connection, "SHOW statement_timeout", "0");
    assert_answer(connection, "SHOW application_name", "pgconvoy");
    assert_answer(connection,
                  "SELECT (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM "
                  "pg_cursors) + (SELECT count(*) FROM pg_listening_channels()) + (SELECT count(*) "
                  "FROM pg_locks WHERE locktype = 'advisory')",
                  "0");
    assert_answer(connection, "SELECT to_regclass('tenant_a.undone') IS NULL", "t");
    assert_int_equal(PQisnonblocking(connection_pg(connection)), 0);
    tenant_pool_release(b, connection);
    tenant_pool_unref(a);
    tenant_pool_unref(b);
    pool_manager_free(manager);
    assert_int_equal(heard.errors, 0);
}

static void a_handle_outlives_the_eviction_of_its_pool(void **state)
{
    (void)state;
    PoolManager *manager = make_default_manager();
    Error error ERROR_CLEANUP = {0};
    TenantPool *old = must_get(manager, "a");
    Connection *connection = must_acquire(old);
    assert_true(pool_manager_evict(manager, NULL, "a", &error));
    assert_true(pool_manager_evict(manager, NULL, "a", &error));
    assert_true(pool_manager_evict(manager, NULL, "ghost", &error));
    assert_heard("+a -a ");
    assert_answer(connection, "SELECT name FROM own", "a");
    assert_query(old, "SELECT name FROM own", "a");
    TenantPool *fresh = must_get(manager, "a");
    assert_ptr_not_equal(old, fresh);
    assert_heard("+a ");
    tenant_pool_unref(old);
    tenant_pool_release(old, connection); /* a lent connection holds its pool */
    assert_query(fresh, "SELECT name FROM own", "a");
    tenant_pool_unref(fresh);
    pool_manager_free(manager);
}

static void reports_have_the_contract_s_shape(void **state)
{
    (void)state;
    PoolManager *manager = make_default_manager();
    Error error ERROR_CLEANUP = {0};
    TenantPool *a = pool_manager_get_validated(manager, NULL, "a", &error);
    assert_non_null(a);
    access_tenant(manager, "b");
    access_tenant(manager, "ghost");
    MetricsResult metrics = {0};
    assert_true(pool_manager_metrics(manager, &metrics, &error));
    const TenantPoolMetrics *tenants = metrics.tenants.items;
    assert_true(metrics.total == 3 && metrics.max_pools == 50 && metrics.tenants.count == 3);
    assert_false(metrics.shared_initialized);
    assert_string_equal(tenants[2].tenant_id, "a"); /* most recently used first */
    assert_string_equal(tenants[2].schema_name, "tenant_a");
    assert_true(tenants[2].connections.total == 1 && tenants[2].connections.idle == 1);
    assert_int_equal(tenants[1].connections.total, 0);
    assert_null(tenants[0].database);
    assert_int_equal(strlen(tenants[0].last_accessed_at), 24);
    record_clear(&METRICS_RESULT, &metrics);

    TenantPool *shared = pool_manager_get_shared_validated(manager, NULL, &error);
    assert_non_null(shared);
    assert_query(shared, "SELECT current_schema()", "public");
    HealthCheckResult health = {0};
    assert_true(pool_manager_health_check(manager, &(HealthCheckOptions){0}, &health, &error));
    const PoolHealth *pools = health.pools.items;
    assert_false(health.healthy); /* ghost has no schema, which is an error, not public's data */
    assert_true(health.total_pools == 3 && health.unhealthy_pools == 1 && health.degraded_pools == 0);
    assert_string_equal(pools[0].status, "unhealthy");
    assert_string_equal(pools[0].error, "schema \"tenant_ghost\" does not exist");
    assert_string_equal(pools[2].status, "ok");
    assert_true(pools[2].response_time_ms > 0);
    assert_string_equal(health.shared_db, "ok");
    record_clear(&HEALTH_CHECK_RESULT, &health);

    HealthCheckOptions quiet = {.no_ping = true, .no_shared = true};
    assert_true(pool_manager_health_check(manager, &quiet, &health, &error));
    assert_true(health.healthy && health.shared_db == NULL);
    assert_int_equal(((PoolHealth *)health.pools.items)[0].response_time_ms, 0);
    record_clear(&HEALTH_CHECK_RESULT, &health);
    tenant_pool_unref(a);
    tenant_pool_unref(shared);
    pool_manager_free(manager);
}

static void warms_up_in_parallel_and_says_who_failed(void **state)
{
    (void)state;
    PoolManager *manager = make_default_manager();
    Error error ERROR_CLEANUP = {0};
    TenantList tenants = {0};
    static const char *const IDS[] = {"a", "b", "ghost", "c"};
    for (size_t i = 0; i < 4; i++)
        assert_true(tenant_list_add(&tenants, "main", IDS[i], &error));
    access_tenant(manager, "b");
    WarmupResult result = {0};
    assert_true(pool_manager_warmup(manager, &tenants, &(WarmupOptions){.concurrency = 2}, &result, &error));
    assert_true(result.total == 4 && result.succeeded == 3 && result.failed == 1 && result.already_warm == 1);
    const TenantWarmupResult *details = result.details.items;
    assert_string_equal(details[2].error, "schema \"tenant_ghost\" does not exist");
    assert_true(details[1].already_warm && details[1].success);
    assert_int_equal(pool_manager_count(manager), 3); /* what failed its validation has no pool */
    record_clear(&WARMUP_RESULT, &result);
    assert_true(pool_manager_warmup(manager, &tenants, &(WarmupOptions){.no_ping = true}, &result, &error));
    assert_true(result.succeeded == 4 && result.already_warm == 3);
    record_clear(&WARMUP_RESULT, &result);
    assert_false(
        pool_manager_warmup(manager, &tenants, &(WarmupOptions){.concurrency = -1}, &result, &error));
    tenant_list_clear(&tenants);
    pool_manager_free(manager);
    assert_int_equal(heard.created, heard.evicted);
}

static void after_dispose_every_call_says_so(void **state)
{
    (void)state;
    static const char GONE[] = "[pgconvoy] PoolManager has been disposed";
    PoolManager *manager = make_default_manager();
    Error error ERROR_CLEANUP = {0};
    TenantPool *pool = must_get(manager, "a");
    Connection *connection = must_acquire(pool);
    assert_true(pool_manager_start_cleanup(manager, &error));
    pool_manager_dispose(manager);
    pool_manager_dispose(manager);
    assert_heard("+a -a ");
    assert_false(pool_manager_cleanup_runs(manager));
    assert_answer(connection, "SELECT name FROM own", "a"); /* what is lent may finish */
    tenant_pool_release(pool, connection);
    wait_until_zero("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgconvoy'");
    HealthCheckResult health;
    MetricsResult metrics;
    WarmupResult warmup;
    TenantList tenants = {0};
    assert_null(tenant_pool_acquire(pool, 0, &error));
    assert_string_equal(error.message, GONE);
#define ASSERT_GONE(call)                         \
    do {                                          \
        error_clear(&error);                      \
        assert_true(!(call));                     \
        assert_string_equal(error.message, GONE); \
    } while (0)
    ASSERT_GONE(pool_manager_get(manager, NULL, "a", &error));
    ASSERT_GONE(pool_manager_get_validated(manager, NULL, "a", &error));
    ASSERT_GONE(pool_manager_get_shared(manager, NULL, &error));
    ASSERT_GONE(pool_manager_get_shared_validated(manager, NULL, &error));
    ASSERT_GONE(pool_manager_schema_name(manager, "a", &error));
    ASSERT_GONE(pool_manager_evict(manager, NULL, "a", &error));
    ASSERT_GONE(pool_manager_start_cleanup(manager, &error));
    ASSERT_GONE(pool_manager_active_tenants(manager, &tenants, &error));
    ASSERT_GONE(pool_manager_warmup(manager, &(TenantList){0}, &(WarmupOptions){0}, &warmup, &error));
    ASSERT_GONE(pool_manager_health_check(manager, &(HealthCheckOptions){0}, &health, &error));
    ASSERT_GONE(pool_manager_metrics(manager, &metrics, &error));
    assert_int_equal(pool_manager_count(manager), 0);
    assert_false(pool_manager_has_pool(manager, NULL, "a"));
    pool_manager_free(manager);
    tenant_pool_unref(pool); /* a handle may outlive its manager's owner */
}

static void several_databases_keep_equal_ids_apart(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    sql_run(admin, "CREATE DATABASE other");
    PGconn *other = cluster_connect(cluster, "other");
    sql_run(other, "CREATE SCHEMA tenant_a; CREATE TABLE tenant_a.own AS SELECT 'other a' AS name");
    PQfinish(other);
    char *text = cluster_url(cluster, "other");
    ConnectionString *other_url = connection_string_new(text, &error);
    free(text);
    PoolDatabase databases[2];
    PoolManagerOptions options = base_options(&databases[0]);
    databases[1] = (PoolDatabase){.name = "other", .url = other_url, .max_connections = 2};
    options.database_count = 2;
    PoolManager *manager = make_manager(&options);
    TenantPool *first = must_get(manager, "a");
    TenantPool *second = pool_manager_get(manager, "other", "a", &error);
    assert_ptr_not_equal(first, second);
    assert_query(first, "SELECT name FROM own", "a");
    assert_query(second, "SELECT name FROM own", "other a");
    assert_int_equal(pool_manager_count(manager), 2);
    assert_null(pool_manager_get(manager, "third", "a", &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    tenant_pool_unref(first);
    tenant_pool_unref(second);
    pool_manager_free(manager);
    connection_string_free(other_url);
}

static void refuses_options_that_make_no_sense(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.max_pools = 0;
    assert_null(pool_manager_new(&options, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_string_equal(error.message, "max_pools of the pool manager is 0, below 1");
    options = base_options(&database);
    options.retry.multiplier = 0.5;
    assert_null(pool_manager_new(&options, &error));
    options = base_options(&database);
    options.database_count = 0;
    assert_null(pool_manager_new(&options, &error));
    PoolManager *manager = make_default_manager();
    assert_null(pool_manager_get(manager, NULL, "", &error));
    assert_int_equal(error.code, ERROR_TENANTS);
    assert_int_equal(pool_manager_count(manager), 0);
    pool_manager_free(manager);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_same_tenant_has_the_same_pool_and_opens_nothing, begin_test),
        cmocka_unit_test_setup(evicts_the_least_recently_accessed, begin_test),
        cmocka_unit_test_setup(expired_pools_go_unless_they_are_lent_from, begin_test),
        cmocka_unit_test_setup(sessions_are_bound_by_quoted_identifier, begin_test),
        cmocka_unit_test_setup(a_missing_or_forbidden_schema_never_falls_through_to_public, begin_test),
        cmocka_unit_test_setup(nothing_of_a_session_reaches_the_next_tenant, begin_test),
        cmocka_unit_test_setup(a_handle_outlives_the_eviction_of_its_pool, begin_test),
        cmocka_unit_test_setup(reports_have_the_contract_s_shape, begin_test),
        cmocka_unit_test_setup(warms_up_in_parallel_and_says_who_failed, begin_test),
        cmocka_unit_test_setup(after_dispose_every_call_says_so, begin_test),
        cmocka_unit_test_setup(several_databases_keep_equal_ids_apart, begin_test),
        cmocka_unit_test_setup(refuses_options_that_make_no_sense, begin_test),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
