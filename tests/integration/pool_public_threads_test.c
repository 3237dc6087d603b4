/* pgconvoy/pool_manager.h used by many threads, its end, and its hooks. */
#include "tests/integration/pool_public_fixture.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <sys/socket.h>
#include <time.h>

static const char GONE[] = "[pgconvoy] PoolManager has been disposed";

/* One thread of a test. */
typedef struct Actor {
    pgconvoy_pool_manager *manager;
    pthread_t thread;
    int number;
    atomic_bool *stop;
    const char *sql;
    pgconvoy_db *db;
    pgconvoy_error error;
    atomic_bool lent, let_go;
    int failures;
} Actor;

static void start_actor(Actor *actor, void *(*run)(void *))
{
    assert_int_equal(pthread_create(&actor->thread, NULL, run, actor), 0);
}

static bool is_set(void *flag)
{
    return atomic_load((atomic_bool *)flag);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void ten_thousand_pools_come_and_go_without_a_trace(void **state)
{
    (void)state;
    enum { CYCLES = 10000, WARM = 100 };
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){.max_pools = 3});
    int files = 0;
    for (int i = 0; i < CYCLES; i++) {
        char id[] = {(char)('a' + i % 6), '\0'};
        pgconvoy_db *db = must_get(manager, id);
        if (i < WARM || i % 100 == 0)
            assert_query(db, "SELECT name FROM own", id);
        if (i % 3 == 0)
            assert_true(pgconvoy_pool_manager_evict_pool(manager, NULL, id, &error));
        pgconvoy_db_unref(db);
        if (i == WARM)
            files = open_files();
    }
    assert_int_equal(open_files(), files);
    assert_int_equal(created, CYCLES);
    assert_true(pgconvoy_pool_manager_get_pool_count(manager) <= 3);
    pgconvoy_pool_manager_free(manager);
    assert_int_equal(evicted, CYCLES);
    assert_nobody_is_connected();
}

/* Every call there is, on tenants that come and go under it. */
static void look_around(Actor *actor, const char *id, unsigned int dice)
{
    pgconvoy_pool_manager *manager = actor->manager;
    pgconvoy_health_check_result health = {0};
    pgconvoy_metrics_result metrics = {0};
    pgconvoy_warmup_result warmup = {0};
    pgconvoy_texts ids = {0};
    pgconvoy_error error = {0};
    bool good = true;
    if (dice == 0)
        good = pgconvoy_pool_manager_evict_pool(manager, NULL, id, &error);
    else if (dice == 1)
        good = pgconvoy_pool_manager_health_check(manager, NULL, &health, &error);
    else if (dice == 2)
        good = pgconvoy_pool_manager_get_metrics(manager, &metrics, &error);
    else if (dice == 3)
        good = pgconvoy_pool_manager_warmup(manager, NULL, &id, 1, NULL, &warmup, &error);
    else if (dice == 4)
        good = pgconvoy_pool_manager_get_active_tenant_ids(manager, &ids, &error);
    else
        pgconvoy_pool_manager_cleanup(manager);
    actor->failures += !good && error.code != PGCONVOY_ERROR_CANCELLED;
    actor->failures += metrics.total > 3 || health.total_pools > 3 || ids.count > 3;
    actor->failures += good && health.timestamp != NULL && !health.healthy && !atomic_load(actor->stop);
    pgconvoy_health_check_result_clear(&health);
    pgconvoy_metrics_result_clear(&metrics);
    pgconvoy_warmup_result_clear(&warmup);
    pgconvoy_texts_clear(&ids);
    pgconvoy_error_clear(&error);
}

static void *do_anything(void *argument)
{
    Actor *actor = argument;
    uint64_t random = (uint64_t)actor->number * 7919 + 1;
    while (!atomic_load(actor->stop)) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned int dice = (unsigned int)(random >> 33);
        char id[] = {(char)('a' + dice % 6), '\0'};
        pgconvoy_error error = {0};
        if (dice / 6 % 12 < 6)
            look_around(actor, id, dice / 6 % 12);
        pgconvoy_db *db = dice % 2 ? pgconvoy_pool_manager_get_db(actor->manager, NULL, id, &error)
                                   : pgconvoy_pool_manager_get_db_validated(actor->manager, NULL, id, &error);
        pgconvoy_connection *connection = db != NULL ? pgconvoy_db_acquire(db, PATIENCE_MS, &error) : NULL;
        actor->failures += connection != NULL && !answers(connection, "SELECT name FROM own", id);
        actor->failures += connection == NULL && error.code != PGCONVOY_ERROR_CANCELLED;
        pgconvoy_db_release(db, connection);
        pgconvoy_db_unref(db);
        pgconvoy_error_clear(&error);
    }
    return NULL;
}

static void threads_share_pools_and_never_mix_tenants(void **state)
{
    (void)state;
    enum { ACTORS = 8, TIME_MS = 1500 };
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){.max_pools = 3,
                                                                          .max_connections = 2,
                                                                          .ttl_ms = 20,
                                                                          .cleanup_interval_ms = 5,
                                                                          .connect_timeout_ms = 20000});
    assert_true(pgconvoy_pool_manager_start_cleanup(manager, &error));
    atomic_bool stop = false;
    Actor actors[ACTORS];
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = (Actor){.manager = manager, .number = i, .stop = &stop};
        start_actor(&actors[i], do_anything);
    }
    for (int64_t end = now_ms() + TIME_MS; now_ms() < end; sleep_ms(1))
        assert_true(pgconvoy_pool_manager_get_pool_count(manager) <= 3);
    atomic_store(&stop, true); /* from now on a health check may see the end */
    pgconvoy_pool_manager_dispose(manager);
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    assert_int_equal(created, evicted);
    assert_true(created > 3);
    for (int i = 0; i < ACTORS; i++) {
        pthread_join(actors[i].thread, NULL);
        assert_int_equal(actors[i].failures, 0);
    }
    assert_int_equal(failed, 0);
    pgconvoy_pool_manager_free(manager);
    assert_nobody_is_connected();
}

/* Runs its statement on a borrowed connection. */
static void *run_statement(void *argument)
{
    Actor *actor = argument;
    pgconvoy_connection *connection = pgconvoy_db_acquire(actor->db, PATIENCE_MS, &actor->error);
    atomic_store(&actor->lent, true);
    actor->failures += connection == NULL || !answers(connection, actor->sql, "done");
    pgconvoy_db_release(actor->db, connection);
    return NULL;
}

static void dispose_waits_for_a_running_query(void **state)
{
    (void)state;
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    Actor actor = {.db = must_get(manager, "a"), .sql = "SELECT 'done' FROM pg_sleep(0.3)"};
    start_actor(&actor, run_statement);
    await(is_set, &actor.lent, PATIENCE_MS, "the loan");
    pgconvoy_db *own = must_get(manager, "b");
    pgconvoy_connection *mine = must_acquire(own); /* the caller's own loan is nothing to wait for */
    int64_t begin = now_ms();
    pgconvoy_pool_manager_dispose(manager);
    assert_in_range(now_ms() - begin, 100, PATIENCE_MS);
    assert_int_equal(sql_number(admin, "SELECT count(*) FROM pg_stat_activity "
                                       "WHERE application_name = 'pgconvoy' AND state = 'active'"),
                     0);
    pthread_join(actor.thread, NULL);
    assert_int_equal(actor.failures, 0);
    assert_true(answers(mine, "SELECT name FROM own", "b"));
    pgconvoy_db_release(own, mine);
    pgconvoy_db_unref(own);
    pgconvoy_db_unref(actor.db);
    pgconvoy_pool_manager_free(manager);
    assert_nobody_is_connected();
}

/* Borrows, and returns when told. */
static void *hold_on(void *argument)
{
    Actor *actor = argument;
    pgconvoy_connection *connection = pgconvoy_db_acquire(actor->db, PATIENCE_MS, &actor->error);
    atomic_store(&actor->lent, true);
    await(is_set, &actor->let_go, PATIENCE_MS, "the word to return it");
    actor->failures += connection == NULL || !answers(connection, "SELECT name FROM own", "a");
    pgconvoy_db_release(actor->db, connection);
    return NULL;
}

static void dispose_waits_no_longer_than_it_was_told(void **state)
{
    (void)state;
    static const int64_t WAITS[] = {50, -1};
    for (size_t i = 0; i < 2; i++) {
        pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){.dispose_wait_ms = WAITS[i]});
        Actor actor = {.db = must_get(manager, "a")};
        start_actor(&actor, hold_on);
        await(is_set, &actor.lent, PATIENCE_MS, "the loan");
        int64_t begin = now_ms();
        pgconvoy_pool_manager_dispose(manager);
        assert_true(now_ms() - begin >= WAITS[i] && now_ms() - begin < PATIENCE_MS / 2);
        atomic_store(&actor.let_go, true);
        pthread_join(actor.thread, NULL);
        assert_int_equal(actor.failures, 0);
        pgconvoy_db_unref(actor.db);
        pgconvoy_pool_manager_free(manager);
        assert_nobody_is_connected();
    }
}

static void *get_validated(void *argument)
{
    Actor *actor = argument;
    actor->db = pgconvoy_pool_manager_get_db_validated(actor->manager, NULL, "a", &actor->error);
    return NULL;
}

/* A socket that accepts and never answers. */
static int listen_silently(char *ret_url, size_t size)
{
    int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    assert_int_equal(bind(silent, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(silent, 4), 0);
    getsockname(silent, (struct sockaddr *)&address, &length);
    snprintf(ret_url, size, "postgresql://x@127.0.0.1:%d/x", ntohs(address.sin_port));
    return silent;
}

static void dispose_during_a_pending_validated_get_leaves_nothing(void **state)
{
    (void)state;
    char silent_url[128];
    int silent = listen_silently(silent_url, sizeof silent_url);
    const pgconvoy_pool_database database = {.url = silent_url};
    pgconvoy_pool_manager *manager = make_manager(
        (pgconvoy_pool_options){.databases = &database, .database_count = 1, .connect_timeout_ms = 800});
    Actor leader = {.manager = manager}, follower = {.manager = manager};
    start_actor(&leader, get_validated);
    int accepted = accept(silent, NULL, NULL); /* it connects now */
    start_actor(&follower, get_validated);
    pgconvoy_pool_manager_dispose(manager);
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    pthread_join(leader.thread, NULL);
    pthread_join(follower.thread, NULL);
    assert_null(leader.db);
    assert_null(follower.db);
    assert_string_equal(leader.error.message, GONE);
    assert_string_equal(follower.error.message, GONE);
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    assert_heard(""); /* no pool, no retry */
    pgconvoy_error_clear(&leader.error);
    pgconvoy_error_clear(&follower.error);
    pgconvoy_pool_manager_free(manager);
    close(accepted);
    close(silent);
}

static void after_dispose_every_call_says_so(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    pgconvoy_db *db = must_get(manager, "a");
    assert_true(pgconvoy_pool_manager_start_cleanup(manager, &error));
    pgconvoy_pool_manager_dispose(manager);
    pgconvoy_pool_manager_dispose(manager);
    assert_heard("+a -a ");
    pgconvoy_texts ids = {0};
    pgconvoy_warmup_result warmup = {0};
    pgconvoy_health_check_result health = {0};
    pgconvoy_metrics_result metrics = {0};
#define ASSERT_GONE(call)                                       \
    do {                                                        \
        assert_true(!(call));                                   \
        assert_int_equal(error.code, PGCONVOY_ERROR_CANCELLED); \
        assert_string_equal(error.message, GONE);               \
        pgconvoy_error_clear(&error);                           \
    } while (0)
    ASSERT_GONE(pgconvoy_pool_manager_get_db(manager, NULL, "a", &error));
    ASSERT_GONE(pgconvoy_pool_manager_get_db_validated(manager, NULL, "a", &error));
    ASSERT_GONE(pgconvoy_pool_manager_get_shared_db(manager, NULL, &error));
    ASSERT_GONE(pgconvoy_pool_manager_get_shared_db_validated(manager, NULL, &error));
    ASSERT_GONE(pgconvoy_db_acquire(db, 0, &error));
    ASSERT_GONE(pgconvoy_pool_manager_get_schema_name(manager, "a", &error));
    ASSERT_GONE(pgconvoy_pool_manager_get_active_tenant_ids(manager, &ids, &error));
    ASSERT_GONE(pgconvoy_pool_manager_evict_pool(manager, NULL, "a", &error));
    ASSERT_GONE(pgconvoy_pool_manager_start_cleanup(manager, &error));
    ASSERT_GONE(pgconvoy_pool_manager_warmup(manager, NULL, NULL, 0, NULL, &warmup, &error));
    ASSERT_GONE(pgconvoy_pool_manager_health_check(manager, NULL, &health, &error));
    ASSERT_GONE(pgconvoy_pool_manager_get_metrics(manager, &metrics, &error));
#undef ASSERT_GONE
    assert_false(pgconvoy_pool_manager_has_pool(manager, NULL, "a"));
    assert_false(pgconvoy_pool_manager_cleanup_runs(manager));
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    pgconvoy_pool_manager_stop_cleanup(manager);
    pgconvoy_pool_manager_cleanup(manager);
    pgconvoy_db_unref(db);
    pgconvoy_pool_manager_free(manager);
}

/* A port of this machine where nobody listens. */
static void find_dead_url(char *ret_url, size_t size)
{
    close(listen_silently(ret_url, size));
}

static void a_server_that_is_down_is_tried_again_with_growing_pauses(void **state)
{
    (void)state;
    char dead[128];
    find_dead_url(dead, sizeof dead);
    pgconvoy_error error = {0};
    const pgconvoy_pool_database database = {.url = dead};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){.databases = &database,
                                                                          .database_count = 1,
                                                                          .retry_max_attempts = 4,
                                                                          .retry_initial_delay_ms = 20,
                                                                          .retry_max_delay_ms = 50,
                                                                          .retry_no_jitter = true});
    assert_null(pgconvoy_pool_manager_get_db_validated(manager, NULL, "a", &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_CONNECT);
    assert_heard("?1/20 ?2/40 ?3/50 ");
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    assert_null(pgconvoy_pool_manager_get_shared_db_validated(manager, NULL, &error));
    assert_heard("?1/20 ?2/40 ?3/50 ");
    pgconvoy_error_clear(&error);
    pgconvoy_pool_manager_free(manager);
}

static pgconvoy_pool_manager *called_back;
static atomic_bool in_hook;
static atomic_int together;

static void hear_alone(void *context, int64_t attempt, const pgconvoy_error *error, int64_t delay_ms)
{
    (void)context;
    (void)attempt;
    (void)error;
    (void)delay_ms;
    if (atomic_exchange(&in_hook, true))
        atomic_fetch_add(&together, 1);
    sleep_ms(2);
    atomic_store(&in_hook, false);
}

static void *fail_to_validate(void *argument)
{
    Actor *actor = argument;
    char id[] = {(char)('a' + actor->number), '\0'};
    actor->db = pgconvoy_pool_manager_get_db_validated(actor->manager, NULL, id, &actor->error);
    return NULL;
}

static void hooks_of_several_threads_are_called_one_at_a_time(void **state)
{
    (void)state;
    enum { ACTORS = 6 };
    char dead[128];
    find_dead_url(dead, sizeof dead);
    pgconvoy_error error = {0};
    const pgconvoy_pool_database database = {.url = dead};
    pgconvoy_pool_manager *manager =
        pgconvoy_pool_manager_new(&(pgconvoy_pool_options){.databases = &database,
                                                           .database_count = 1,
                                                           .retry_max_attempts = 5,
                                                           .retry_initial_delay_ms = 1,
                                                           .retry_max_delay_ms = 2,
                                                           .hooks = {.on_retry = hear_alone}},
                                  &error);
    assert_non_null(manager);
    Actor actors[ACTORS];
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = (Actor){.manager = manager, .number = i};
        start_actor(&actors[i], fail_to_validate);
    }
    for (int i = 0; i < ACTORS; i++) {
        pthread_join(actors[i].thread, NULL);
        assert_null(actors[i].db);
        pgconvoy_error_clear(&actors[i].error);
    }
    assert_int_equal(together, 0);
    pgconvoy_pool_manager_free(manager);
}

static void dispose_when_evicted(void *context, const char *database, const char *tenant_id)
{
    hear_evicted(context, database, tenant_id);
    pgconvoy_pool_manager_dispose(called_back);
}

static void a_hook_may_dispose(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    const pgconvoy_pool_database database = {.url = url};
    pgconvoy_pool_options options = {.databases = &database, .database_count = 1, .hooks = HEAR_ALL};
    options.hooks.on_pool_evicted = dispose_when_evicted;
    called_back = pgconvoy_pool_manager_new(&options, &error);
    assert_non_null(called_back);
    Actor actor = {.db = must_get(called_back, "a")};
    start_actor(&actor, hold_on);
    await(is_set, &actor.lent, PATIENCE_MS, "the loan");
    access_tenant(called_back, "b");
    assert_true(pgconvoy_pool_manager_evict_pool(called_back, NULL, "b", &error));
    assert_heard("+a +b -b -a ");
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(called_back), 0);
    atomic_store(&actor.let_go, true);
    pthread_join(actor.thread, NULL);
    assert_int_equal(actor.failures, 0);
    pgconvoy_db_unref(actor.db);
    pgconvoy_pool_manager_free(called_back);
    assert_nobody_is_connected();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ten_thousand_pools_come_and_go_without_a_trace, begin_test),
        cmocka_unit_test_setup(threads_share_pools_and_never_mix_tenants, begin_test),
        cmocka_unit_test_setup(dispose_waits_for_a_running_query, begin_test),
        cmocka_unit_test_setup(dispose_waits_no_longer_than_it_was_told, begin_test),
        cmocka_unit_test_setup(dispose_during_a_pending_validated_get_leaves_nothing, begin_test),
        cmocka_unit_test_setup(after_dispose_every_call_says_so, begin_test),
        cmocka_unit_test_setup(a_server_that_is_down_is_tried_again_with_growing_pauses, begin_test),
        cmocka_unit_test_setup(hooks_of_several_threads_are_called_one_at_a_time, begin_test),
        cmocka_unit_test_setup(a_hook_may_dispose, begin_test),
    };
    return cmocka_run_group_tests_name("public pool manager and threads", tests, start_server, stop_server);
}
