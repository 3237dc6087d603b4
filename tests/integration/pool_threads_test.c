/* The pool manager when many threads want the same, and when hooks and threads call back. */
#include "tests/integration/pool_fixture.h"

static void concurrent_first_users_share_one_pool(void **state)
{
    (void)state;
    enum { ACTORS = 16 };
    for (int plain = 0; plain <= ACTORS / 2; plain += ACTORS / 2) {
        PoolManager *manager = make_default_manager();
        Actor actors[ACTORS];
        pthread_barrier_t barrier;
        pthread_barrier_init(&barrier, NULL, ACTORS);
        for (int i = 0; i < ACTORS; i++) {
            actors[i] =
                (Actor){.manager = manager, .tenant_id = "a", .validated = i >= plain, .barrier = &barrier};
            start_actor(&actors[i], get_first);
        }
        for (int i = 0; i < ACTORS; i++)
            pthread_join(actors[i].thread, NULL);
        for (int i = 0; i < ACTORS; i++) {
            assert_non_null(actors[i].pool);
            assert_ptr_equal(actors[i].pool, actors[0].pool);
            tenant_pool_unref(actors[i].pool);
        }
        assert_heard("+a ");
        assert_int_equal(pool_manager_count(manager), 1);
        MetricsResult metrics = {0};
        Error error ERROR_CLEANUP = {0};
        assert_true(pool_manager_metrics(manager, &metrics, &error));
        assert_in_range(sql_number(admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                                          "'pgconvoy'"),
                        plain == 0,
                        1); /* validated once, not sixteen times, and not when a plain pool was first */
        record_clear(&METRICS_RESULT, &metrics);
        pool_manager_free(manager);
        assert_heard("-a ");
        pthread_barrier_destroy(&barrier);
        wait_until_zero("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgconvoy'");
    }
}

static atomic_int lent[6], most_lent;

static void *read_own(void *argument)
{
    Actor *actor = argument;
    for (int i = 0; i < actor->rounds; i++) {
        int tenant = (actor->number + i) % 6;
        char id[] = {(char)('a' + tenant), '\0'};
        Error error ERROR_CLEANUP = {0};
        TenantPool *pool = pool_manager_get(actor->manager, NULL, id, &error);
        Connection *connection = pool != NULL ? tenant_pool_acquire(pool, 0, &error) : NULL;
        if (connection == NULL) {
            actor->failures++;
            tenant_pool_unref(pool);
            continue;
        }
        int now = atomic_fetch_add(&lent[tenant], 1) + 1;
        for (int seen = atomic_load(&most_lent); now > seen;)
            if (atomic_compare_exchange_weak(&most_lent, &seen, now))
                break;
        char *name = answer(connection, "SELECT name FROM own, pg_sleep(0.0005)");
        actor->failures += strcmp(name, id) != 0;
        free(name);
        atomic_fetch_sub(&lent[tenant], 1);
        tenant_pool_release(pool, connection);
        tenant_pool_unref(pool);
        if (pool_manager_count(actor->manager) > 4)
            actor->failures++;
    }
    return NULL;
}

static void sixteen_threads_never_mix_tenants_nor_pass_a_limit(void **state)
{
    (void)state;
    enum { ACTORS = 16 };
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    database.max_connections = 5;
    options.max_pools = 4;
    options.max_connections = 2;
    PoolManager *manager = make_manager(&options);
    Actor actors[ACTORS];
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = (Actor){.manager = manager, .number = i, .rounds = 40};
        start_actor(&actors[i], read_own);
    }
    int64_t most = 0;
    Deadline deadline = deadline_after_ms(PATIENCE_MS); /* for the first connection to show */
    for (int i = 0; i < 50 || (most == 0 && deadline_left_ms(deadline) > 0); i++) {
        int64_t open = sql_number(admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                                         "'pgconvoy'");
        most = open > most ? open : most;
    }
    int failures = 0;
    for (int i = 0; i < ACTORS; i++) {
        pthread_join(actors[i].thread, NULL);
        failures += actors[i].failures;
    }
    assert_int_equal(failures, 0);
    assert_in_range(most, 1, 5);
    pool_manager_free(manager);
    assert_int_equal(heard.created, heard.evicted);
    assert_int_equal(heard.errors, 0);
}

static void one_pool_lends_no_more_than_its_own_limit(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.max_connections = 2;
    PoolManager *manager = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    TenantPool *pool = must_get(manager, "a");
    Connection *first = must_acquire(pool), *second = must_acquire(pool);
    assert_null(tenant_pool_acquire(pool, 30, &error));
    assert_string_equal(error.message, "no connection of this tenant's pool became free within 30 ms");
    assert_string_equal(error.tenant, "a");
    tenant_pool_release(pool, first);
    first = must_acquire(pool);
    tenant_pool_release(pool, first);
    tenant_pool_release(pool, second);
    tenant_pool_unref(pool);
    pool_manager_free(manager);
}

static void ten_thousand_pools_come_and_go(void **state)
{
    (void)state;
    enum { CYCLES = 10000 };
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.max_pools = 2;
    PoolManager *manager = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    for (int i = 0; i < CYCLES; i++) {
        char id[] = {(char)('a' + i % 6), '\0'};
        TenantPool *pool = must_get(manager, id);
        if (i % 100 == 0)
            assert_query(pool, "SELECT name FROM own", id);
        if (i % 3 == 0)
            assert_true(pool_manager_evict(manager, NULL, id, &error));
        tenant_pool_unref(pool);
    }
    assert_int_equal(heard.created, CYCLES);
    assert_true(pool_manager_count(manager) <= 2);
    pool_manager_free(manager);
    assert_int_equal(heard.evicted, CYCLES);
}

static PoolManager *called_back;

static void get_again_when_evicted(void *context, const char *database, const char *tenant_id)
{
    Error error ERROR_CLEANUP = {0};
    hear_evicted(context, database, tenant_id);
    if (heard.evicted == 1)
        tenant_pool_unref(pool_manager_get(called_back, NULL, "f", &error));
    else
        pool_manager_dispose(called_back); /* from inside a hook */
}

static void hooks_may_call_back(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.max_pools = 1;
    options.hooks.on_pool_evicted = get_again_when_evicted;
    called_back = make_manager(&options);
    access_tenant(called_back, "a");
    access_tenant(called_back, "b");
    assert_heard("+a +b -a +f -b -f ");
    assert_int_equal(pool_manager_count(called_back), 0);
    pool_manager_free(called_back);
}

static char *dispose_meanwhile(void *context, const char *tenant_id, Error *error)
{
    (void)context;
    pool_manager_dispose(called_back);
    return schema_from_template("tenant_{id}", tenant_id, error);
}

static void a_pool_that_was_begun_before_dispose_is_not_registered_after_it(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.schema_name = dispose_meanwhile; /* called between the first look and the registration */
    called_back = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    assert_null(pool_manager_get(called_back, NULL, "a", &error));
    assert_string_equal(error.message, "[pgconvoy] PoolManager has been disposed");
    assert_int_equal(pool_manager_count(called_back), 0);
    assert_heard("");
    pool_manager_free(called_back);
}

static void stop_and_hear(void *context, const char *database, const char *tenant_id)
{
    pool_manager_stop_cleanup(called_back); /* in the cleanup thread itself */
    hear_evicted(context, database, tenant_id);
}

static void the_cleanup_thread_starts_and_stops_at_will(void **state)
{
    (void)state;
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    options.ttl_ms = 50;
    options.cleanup_interval_ms = 2;
    options.hooks.on_pool_evicted = stop_and_hear;
    called_back = make_manager(&options);
    Error error ERROR_CLEANUP = {0};
    for (int i = 1; i <= 3; i++) {
        assert_true(pool_manager_start_cleanup(called_back, &error));
        assert_true(pool_manager_start_cleanup(called_back, &error));
        assert_true(pool_manager_cleanup_runs(called_back));
        access_tenant(called_back, "a");
        atomic_fetch_add(&test_time_ms, 51);
        Deadline deadline = deadline_after_ms(PATIENCE_MS);
        while (atomic_load(&heard.evicted) < i && deadline_left_ms(deadline) > 0)
            usleep(500);
        assert_int_equal(heard.evicted, i);
        assert_false(pool_manager_cleanup_runs(called_back));
    }
    assert_true(pool_manager_start_cleanup(called_back, &error));
    pool_manager_stop_cleanup(called_back);
    pool_manager_stop_cleanup(called_back);
    pool_manager_free(called_back);
}

static void *do_anything(void *argument)
{
    Actor *actor = argument;
    uint64_t random = (uint64_t)actor->number * 7919 + 1;
    for (int i = 0; !atomic_load(actor->stop); i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned int dice = (unsigned int)(random >> 33);
        char id[] = {(char)('a' + dice % 6), '\0'};
        Error error ERROR_CLEANUP = {0};
        HealthCheckResult health = {0};
        MetricsResult metrics = {0};
        TenantPool *pool = NULL;
        switch (dice / 6 % 8) {
        case 0:
            (void)!pool_manager_evict(actor->manager, NULL, id, &error);
            break;
        case 1:
            if (pool_manager_health_check(actor->manager, &(HealthCheckOptions){0}, &health, &error))
                actor->failures += health.total_pools > 3;
            record_clear(&HEALTH_CHECK_RESULT, &health);
            break;
        case 2:
            if (pool_manager_metrics(actor->manager, &metrics, &error))
                actor->failures += metrics.total > 3 || (int64_t)metrics.tenants.count != metrics.total;
            record_clear(&METRICS_RESULT, &metrics);
            break;
        case 3:
            atomic_fetch_add(&test_time_ms, 7);
            pool_manager_cleanup(actor->manager);
            break;
        case 4:
            pool = pool_manager_get_validated(actor->manager, NULL, id, &error);
            break;
        default:
            pool = pool_manager_get(actor->manager, NULL, id, &error);
            Connection *connection = pool != NULL ? tenant_pool_acquire(pool, 0, &error) : NULL;
            if (connection != NULL) {
                char *name = answer(connection, "SELECT name FROM own");
                actor->failures += strcmp(name, id) != 0;
                free(name);
                tenant_pool_release(pool, connection);
            }
        }
        actor->failures += error.code != ERROR_NONE && error.code != ERROR_CANCELLED;
        tenant_pool_unref(pool);
    }
    return NULL;
}

static void invariants_hold_whatever_many_threads_do(void **state)
{
    (void)state;
    enum { ACTORS = 8 };
    PoolDatabase database;
    PoolManagerOptions options = base_options(&database);
    database.max_connections = 4;
    options.max_pools = 3;
    options.max_connections = 2;
    options.ttl_ms = 20;
    PoolManager *manager = make_manager(&options);
    atomic_bool stop = false;
    Actor actors[ACTORS];
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = (Actor){.manager = manager, .number = i, .stop = &stop};
        start_actor(&actors[i], do_anything);
    }
    Deadline end = deadline_after_ms(1500);
    while (deadline_left_ms(end) > 0) {
        assert_true(pool_manager_count(manager) <= 3);
        usleep(1000);
    }
    pool_manager_dispose(manager); /* with everybody at it */
    assert_int_equal(pool_manager_count(manager), 0);
    assert_int_equal(heard.created, heard.evicted);
    atomic_store(&stop, true);
    for (int i = 0; i < ACTORS; i++) {
        pthread_join(actors[i].thread, NULL);
        assert_int_equal(actors[i].failures, 0);
    }
    assert_int_equal(heard.errors, 0);
    pool_manager_free(manager);
    wait_until_zero("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgconvoy'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(concurrent_first_users_share_one_pool, begin_test),
        cmocka_unit_test_setup(sixteen_threads_never_mix_tenants_nor_pass_a_limit, begin_test),
        cmocka_unit_test_setup(one_pool_lends_no_more_than_its_own_limit, begin_test),
        cmocka_unit_test_setup(ten_thousand_pools_come_and_go, begin_test),
        cmocka_unit_test_setup(hooks_may_call_back, begin_test),
        cmocka_unit_test_setup(a_pool_that_was_begun_before_dispose_is_not_registered_after_it, begin_test),
        cmocka_unit_test_setup(the_cleanup_thread_starts_and_stops_at_will, begin_test),
        cmocka_unit_test_setup(invariants_hold_whatever_many_threads_do, begin_test),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
