/* The pool manager when servers go, when it is disposed of at a bad moment, and when poolers stand in
 * between. */
#include "tests/integration/pool_fixture.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

static void pools_survive_killed_backends_and_a_server_restart(void **state)
{
    (void)state;
    PoolManager *manager = make_default_manager();
    TenantPool *a = must_get(manager, "a"), *b = must_get(manager, "b");
    assert_query(a, "SELECT name FROM own", "a");
    sql_run(admin,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgconvoy'");
    wait_until_zero("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgconvoy'");
    assert_query(a, "SELECT name FROM own", "a");
    assert_query(b, "SELECT pg_terminate_backend(pg_backend_pid())",
                 "terminating connection due to administrator command");
    assert_query(b, "SELECT name FROM own", "b");
    PQfinish(admin);
    cluster_restart(cluster);
    admin = cluster_connect(cluster, "postgres");
    assert_query(a, "SELECT name FROM own", "a");
    assert_query(b, "SELECT name FROM own", "b");
    assert_heard("+a +b "); /* the same pools all the time, and nothing that nobody was told */
    tenant_pool_unref(a);
    tenant_pool_unref(b);
    pool_manager_free(manager);
}

static void validation_is_retried_and_leaves_no_pool_when_it_fails(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.retry.initial_delay_ms = 5;
    PoolManager *manager = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    PQfinish(admin);
    cluster_kill(cluster);
    assert_null(pool_manager_get_validated(manager, NULL, "a", &error));
    assert_int_equal(error.code, ERROR_CONNECT);
    assert_int_equal(heard.retries, 2);
    assert_int_equal(pool_manager_count(manager), 0);
    assert_heard("");
    cluster_restart(cluster);
    admin = cluster_connect(cluster, "postgres");
    TenantPool *pool =
        pool_manager_get_validated(manager, NULL, "a", &error); /* not held up by the failure */
    assert_non_null(pool);
    tenant_pool_unref(pool);
    heard.retries = 0;
    assert_null(pool_manager_get_validated(manager, NULL, "ghost", &error));
    assert_int_equal(error.code, ERROR_NO_SCHEMA);
    assert_int_equal(heard.retries, 0); /* a missing schema does not come back by itself */
    pool_manager_free(manager);
}

static void dispose_during_connect_leaves_nothing_behind(void **state)
{
    (void)state;
    int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(silent, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(silent, 4), 0);
    getsockname(silent, (struct sockaddr *)&address, &length);
    char text[128];
    snprintf(text, sizeof text, "postgresql://x@127.0.0.1:%d/x", ntohs(address.sin_port));
    Error error ERROR_CLEANUP = {0};
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    ConnectionString *target = connection_string_new(text, &error);
    database.url = target;
    options.connect_timeout_ms = 800;
    PoolManager *manager = make_manager(&options);
    Actor leader = {.manager = manager, .tenant_id = "a", .validated = true}, follower = leader;
    start_actor(&leader, get_first);
    int accepted = accept(silent, NULL, NULL); /* it connects now, and is never answered */
    start_actor(&follower, get_first);
    pool_manager_dispose(manager);
    assert_int_equal(pool_manager_count(manager), 0);
    pthread_join(leader.thread, NULL);
    pthread_join(follower.thread, NULL);
    assert_null(leader.pool);
    assert_string_equal(leader.error.message, "[pgconvoy] PoolManager has been disposed");
    assert_string_equal(follower.error.message, "[pgconvoy] PoolManager has been disposed");
    assert_int_equal(pool_manager_count(manager), 0);
    assert_heard("");
    error_clear(&leader.error);
    error_clear(&follower.error);
    pool_manager_free(manager);
    connection_string_free(target);
    close(accepted);
    close(silent);
}

static void *acquire_one(void *argument)
{
    Actor *actor = argument;
    Connection *connection = tenant_pool_acquire(actor->pool, 0, &actor->error);
    tenant_pool_release(actor->pool, connection);
    return NULL;
}

static void dispose_ends_waiting(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.max_connections = 1;
    PoolManager *manager = make_manager(&options);
    TenantPool *pool = must_get(manager, "a");
    Connection *connection = must_acquire(pool);
    Actor waiter = {.pool = pool};
    start_actor(&waiter, acquire_one);
    MetricsResult metrics = {0};
    Error error ERROR_CLEANUP = {0};
    for (int64_t waiting = 0; waiting == 0; usleep(1000)) {
        assert_true(pool_manager_metrics(manager, &metrics, &error));
        waiting = ((TenantPoolMetrics *)metrics.tenants.items)[0].connections.waiting;
        record_clear(&METRICS_RESULT, &metrics);
    }
    Deadline patience = deadline_after_ms(PATIENCE_MS);
    pool_manager_dispose(manager);
    pthread_join(waiter.thread, NULL);
    assert_true(deadline_left_ms(patience) > PATIENCE_MS / 2); /* woken, not timed out */
    assert_string_equal(waiter.error.message, "[pgconvoy] PoolManager has been disposed");
    error_clear(&waiter.error);
    tenant_pool_release(pool, connection);
    tenant_pool_unref(pool);
    pool_manager_free(manager);
}

static void a_statement_left_running_is_cancelled(void **state)
{
    (void)state;
    PoolManager *manager = make_default_manager();
    TenantPool *pool = must_get(manager, "a");
    Connection *connection = must_acquire(pool);
    assert_int_equal(PQsendQuery(connection_pg(connection), "SELECT pg_sleep(300) AS left_running"), 1);
    wait_until_zero("SELECT 1 - count(*) FROM pg_stat_activity WHERE query LIKE '%left_running' AND state = "
                    "'active' AND pid <> pg_backend_pid()");
    tenant_pool_release(pool, connection);
    wait_until_zero("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%left_running' AND pid <> "
                    "pg_backend_pid()");
    assert_query(pool, "SELECT name FROM own", "a");
    tenant_pool_unref(pool);
    pool_manager_free(manager);
}

static ConnectionString *bouncer_url(void)
{
    Error error ERROR_CLEANUP = {0};
    if (cluster->bouncer == 0)
        cluster_start_bouncer(cluster, 3);
    char *text = cluster_bouncer_url(cluster, "postgres");
    ConnectionString *through = connection_string_new(text, &error);
    free(text);
    assert_non_null(through);
    return through;
}

static PGconn *connect_bouncer(const char *database)
{
    char *text = cluster_bouncer_url(cluster, database);
    PGconn *connection = PQconnectdb(text);
    free(text);
    assert_int_equal(PQstatus(connection), CONNECTION_OK);
    return connection;
}

static void a_transaction_mode_pooler_is_refused(void **state)
{
    (void)state;
    ConnectionString *through = bouncer_url();
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    database.url = through;
    PoolManager *manager = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    TenantPool *pool = must_get(manager, "a");
    for (int i = 0; i < 2; i++) {
        error_clear(&error);
        assert_null(tenant_pool_acquire(pool, 0, &error));
        assert_int_equal(error.code, ERROR_CONFIG);
        assert_string_equal(error.message, "database \"main\" is behind a pooler in transaction mode");
    }
    tenant_pool_unref(pool);
    pool_manager_free(manager);
    connection_string_free(through);
}

static void a_session_that_moves_to_another_backend_gives_the_pooler_away(void **state)
{
    (void)state;
    ConnectionString *through = bouncer_url();
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    database.url = through;
    database.max_connections = 1; /* leaves no second connection to ask */
    PoolManager *manager = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    TenantPool *pool = must_get(manager, "a");
    Connection *connection = must_acquire(pool);
    PGconn *rival = connect_bouncer("postgres");
    sql_run(rival, "BEGIN"); /* takes the backend that our session was bound on */
    tenant_pool_release(pool, connection);
    assert_heard("+a !a ");
    sql_run(rival, "ROLLBACK");
    PQfinish(rival);
    assert_null(tenant_pool_acquire(pool, 0, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    tenant_pool_unref(pool);
    pool_manager_free(manager);
    connection_string_free(through);
}

static int64_t backend_of(PGconn *connection)
{
    return sql_number(connection, "SELECT pg_backend_pid()");
}

/* Rewrites the bouncer's configuration and waits until it acts by it. */
static void set_pool_mode(const char *mode)
{
    char path[96], script[256];
    snprintf(path, sizeof path, "%s/bouncer.ini", cluster->directory);
    snprintf(script, sizeof script, "sed -i 's/^pool_mode = .*/pool_mode = %s/' %s && chmod 644 %s", mode,
             path, path);
    assert_int_equal(system(script), 0);
    kill(cluster->bouncer, SIGHUP);
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    for (bool wanted_shared = strcmp(mode, "transaction") == 0, shared = !wanted_shared;
         shared != wanted_shared && deadline_left_ms(deadline) > 0;) {
        PGconn *first = connect_bouncer("postgres"), *second = connect_bouncer("postgres");
        int64_t backend = backend_of(first);
        shared = backend_of(second) == backend;
        PQfinish(first);
        PQfinish(second);
    }
}

static void a_session_mode_pooler_is_good_enough(void **state)
{
    (void)state;
    ConnectionString *through = bouncer_url();
    set_pool_mode("session");
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    database.url = through;
    database.max_connections = 2;
    PoolManager *manager = make_manager(&options);
    TenantPool *a = must_get(manager, "a"), *b = must_get(manager, "b");
    for (int i = 0; i < 3; i++) {
        assert_query(a, "SELECT name FROM own", "a");
        assert_query(b, "SELECT name FROM own", "b");
    }
    tenant_pool_unref(a);
    tenant_pool_unref(b);
    pool_manager_free(manager);
    assert_int_equal(heard.errors, 0);
    set_pool_mode("transaction");
    connection_string_free(through);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pools_survive_killed_backends_and_a_server_restart, begin_test),
        cmocka_unit_test_setup(validation_is_retried_and_leaves_no_pool_when_it_fails, begin_test),
        cmocka_unit_test_setup(dispose_during_connect_leaves_nothing_behind, begin_test),
        cmocka_unit_test_setup(dispose_ends_waiting, begin_test),
        cmocka_unit_test_setup(a_statement_left_running_is_cancelled, begin_test),
        cmocka_unit_test_setup(a_transaction_mode_pooler_is_refused, begin_test),
        cmocka_unit_test_setup(a_session_that_moves_to_another_backend_gives_the_pooler_away, begin_test),
        cmocka_unit_test_setup(a_session_mode_pooler_is_good_enough, begin_test),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
