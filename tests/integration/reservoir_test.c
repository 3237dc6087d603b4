/* The reservoir against a real server: its limit, its queue, and connections that go bad. */
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include "worker/pg/deadline.h"
#include "worker/pg/reservoir.h"
#include "worker/pg/session.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static Cluster *cluster;
static ConnectionString *url;
static PGconn *admin;
static atomic_llong test_time_ms;

static int64_t test_now(void *context)
{
    (void)context;
    return atomic_load(&test_time_ms);
}

static const Clock TEST_CLOCK = {.now_ms = test_now};

static Reservoir *make_reservoir(ReservoirOptions options)
{
    Error error ERROR_CLEANUP = {0};
    options.database = "main";
    options.url = options.url != NULL ? options.url : url;
    options.connect_timeout_ms = options.connect_timeout_ms > 0 ? options.connect_timeout_ms : PATIENCE_MS;
    options.clock = &TEST_CLOCK;
    Reservoir *reservoir = reservoir_new(&options, &error);
    assert_non_null(reservoir);
    return reservoir;
}

static void end_reservoir(Reservoir *reservoir)
{
    reservoir_close(reservoir);
    assert_int_equal(reservoir_counts(reservoir).open, 0);
    reservoir_free(reservoir);
}

static Connection *must_acquire(Reservoir *reservoir, const char *name)
{
    Error error ERROR_CLEANUP = {0};
    Connection *connection = reservoir_acquire(reservoir, name, 0, &error);
    if (connection == NULL)
        fail_msg("acquire: %s (%s)", error.message, error.detail != NULL ? error.detail : "");
    return connection;
}

static char *answer(Connection *connection, const char *sql)
{
    Error error ERROR_CLEANUP = {0};
    PGresult *result = NULL;
    if (!connection_exec(connection, sql, &result, &error))
        return strdup(error.message);
    char *text = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

static void assert_answer(Connection *connection, const char *sql, const char *expected)
{
    char *text = answer(connection, sql);
    assert_string_equal(text, expected);
    free(text);
}

static int64_t backend(Connection *connection)
{
    return PQbackendPID(connection_pg(connection));
}

static void wait_until_waiting(Reservoir *reservoir, int64_t count)
{
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (reservoir_counts(reservoir).waiting != count && deadline_left_ms(deadline) > 0)
        usleep(1000);
    assert_int_equal(reservoir_counts(reservoir).waiting, count);
}

static void wait_until_zero(const char *sql)
{
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (sql_number(admin, "%s", sql) != 0 && deadline_left_ms(deadline) > 0)
        usleep(2000);
    assert_int_equal(sql_number(admin, "%s", sql), 0);
}

/* What one thread of a test does and finds. */
typedef struct Task {
    Reservoir *reservoir;
    const char *sql;
    int rounds, number;
    atomic_int *failures, *highest, *active;
    int *order;
    atomic_int *next;
    Error error;
    pthread_t thread;
} Task;

static void *work(void *argument)
{
    Task *task = argument;
    for (int i = 0; i < task->rounds; i++) {
        Error error ERROR_CLEANUP = {0};
        Connection *connection = reservoir_acquire(task->reservoir, "pgconvoy/test", 0, &error);
        if (connection == NULL) {
            atomic_fetch_add(task->failures, 1);
            continue;
        }
        int active = atomic_fetch_add(task->active, 1) + 1;
        for (int seen = atomic_load(task->highest); active > seen;)
            if (atomic_compare_exchange_weak(task->highest, &seen, active))
                break;
        if (!connection_exec(connection, task->sql, NULL, &error))
            atomic_fetch_add(task->failures, 1);
        atomic_fetch_sub(task->active, 1);
        reservoir_release(task->reservoir, connection, 1);
    }
    return NULL;
}

static void never_lends_more_than_its_limit_and_starves_nobody(void **state)
{
    (void)state;
    enum { THREADS = 16, LIMIT = 5, ROUNDS = 40 };
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = LIMIT, .retire_tenants = 25});
    atomic_int failures = 0, highest = 0, active = 0;
    Task tasks[THREADS];
    for (int i = 0; i < THREADS; i++) {
        tasks[i] = (Task){.reservoir = reservoir,
                          .sql = "SELECT pg_sleep(0.0005)",
                          .rounds = ROUNDS,
                          .failures = &failures,
                          .highest = &highest,
                          .active = &active};
        assert_int_equal(pthread_create(&tasks[i].thread, NULL, work, &tasks[i]), 0);
    }
    int64_t most_open = 0;
    for (int i = 0; i < 2000 && atomic_load(&active) >= 0; i++) {
        int64_t open = reservoir_counts(reservoir).open;
        most_open = open > most_open ? open : most_open;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(tasks[i].thread, NULL);
    assert_int_equal(failures, 0);
    assert_int_equal(highest, LIMIT);
    assert_true(most_open <= LIMIT);
    ReservoirCounts counts = reservoir_counts(reservoir);
    assert_true(counts.open <= LIMIT && counts.open == counts.idle && counts.waiting == 0);
    assert_true(counts.opened_total >= THREADS * ROUNDS / 25); /* retirement took place */
    assert_true(counts.opened_total <= THREADS * ROUNDS / 20 + LIMIT);
    end_reservoir(reservoir);
}

static void *queue_up(void *argument)
{
    Task *task = argument;
    Connection *connection = reservoir_acquire(task->reservoir, NULL, 0, &task->error);
    if (connection == NULL)
        return NULL;
    task->order[atomic_fetch_add(task->next, 1)] = task->number;
    reservoir_release(task->reservoir, connection, 1);
    return NULL;
}

static void serves_waiters_in_order_of_arrival(void **state)
{
    (void)state;
    enum { WAITERS = 6 };
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 1});
    Connection *held = must_acquire(reservoir, NULL);
    Task tasks[WAITERS];
    int order[WAITERS];
    atomic_int next = 0;
    for (int i = 0; i < WAITERS; i++) {
        tasks[i] = (Task){.reservoir = reservoir, .number = i, .order = order, .next = &next};
        pthread_create(&tasks[i].thread, NULL, queue_up, &tasks[i]);
        wait_until_waiting(reservoir, i + 1);
    }
    reservoir_release(reservoir, held, 1);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(tasks[i].thread, NULL);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(order[i], i);
    assert_int_equal(reservoir_counts(reservoir).opened_total, 1);
    end_reservoir(reservoir);
}

static void waiting_ends_at_its_deadline(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 1});
    Connection *held = must_acquire(reservoir, NULL);
    Error error ERROR_CLEANUP = {0};
    Deadline begin = deadline_after_ms(PATIENCE_MS);
    assert_null(reservoir_acquire(reservoir, NULL, 60, &error));
    assert_int_equal(error.code, ERROR_CONNECT);
    assert_string_equal(error.message, "no connection to database \"main\" became free within 60 ms");
    assert_string_equal(error.detail, "1 of 1 connections are in use");
    int64_t waited = PATIENCE_MS - deadline_left_ms(begin);
    assert_true(waited >= 59 && waited < 5000);
    assert_int_equal(reservoir_counts(reservoir).waiting, 0);
    reservoir_release(reservoir, held, 1);
    end_reservoir(reservoir);
}

static void replaces_backends_that_died_while_idle(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 3});
    Connection *lent[3];
    for (int i = 0; i < 3; i++)
        lent[i] = must_acquire(reservoir, "doomed");
    for (int i = 0; i < 3; i++)
        reservoir_release(reservoir, lent[i], 1);
    sql_run(admin,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doomed'");
    wait_until_zero("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'doomed'");
    for (int i = 0; i < 3; i++) {
        lent[i] = must_acquire(reservoir, "fresh");
        assert_answer(lent[i], "SELECT 1", "1");
    }
    for (int i = 0; i < 3; i++)
        reservoir_release(reservoir, lent[i], 1);
    assert_int_equal(reservoir_counts(reservoir).opened_total, 6);
    end_reservoir(reservoir);
}

static void survives_a_server_restart_and_fails_fast_while_it_is_down(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 2});
    Connection *first = must_acquire(reservoir, NULL), *second = must_acquire(reservoir, NULL);
    reservoir_release(reservoir, first, 1);
    PQfinish(admin);
    cluster_kill(cluster);
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (PQsocket(connection_pg(second)) >= 0 && connection_is_reusable(second) &&
           deadline_left_ms(deadline) > 0)
        usleep(1000); /* the backends notice the loss of their parent by themselves */
    Error error ERROR_CLEANUP = {0};
    assert_null(reservoir_acquire(reservoir, NULL, 0, &error));
    assert_int_equal(error.code, ERROR_CONNECT);
    char *message = strdup(error.message);
    reservoir_release(reservoir, second, 1); /* dead as well: closed, not kept */
    assert_int_equal(reservoir_counts(reservoir).open, 0);
    cluster_restart(cluster);
    admin = cluster_connect(cluster, "postgres");
    atomic_fetch_add(&test_time_ms, 999);
    assert_null(reservoir_acquire(reservoir, NULL, 0, &error)); /* the same failure, without a new attempt */
    assert_string_equal(error.message, message);
    Connection *forced = reservoir_acquire_for(reservoir, &(ReservoirRequest){.try_anyway = true}, &error);
    assert_non_null(forced);
    assert_int_equal(error.code, ERROR_NONE);
    Connection *plain = must_acquire(reservoir, NULL); /* a success ends the failing fast */
    assert_answer(plain, "SELECT 1", "1");
    reservoir_release(reservoir, plain, 1);
    reservoir_release(reservoir, forced, 1);
    free(message);
    end_reservoir(reservoir);
}

static void a_smaller_grant_closes_idle_ones_now_and_lent_ones_later(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 5});
    Connection *lent[5];
    for (int i = 0; i < 5; i++)
        lent[i] = must_acquire(reservoir, NULL);
    reservoir_release(reservoir, lent[0], 1);
    reservoir_release(reservoir, lent[1], 1);
    reservoir_set_limit(reservoir, 2);
    ReservoirCounts counts = reservoir_counts(reservoir);
    assert_true(counts.open == 3 && counts.idle == 0);
    reservoir_release(reservoir, lent[2], 1);
    assert_int_equal(reservoir_counts(reservoir).open, 2);
    Task waiter = {.reservoir = reservoir, .order = (int[1]){0}, .next = &(atomic_int){0}};
    pthread_create(&waiter.thread, NULL, queue_up, &waiter);
    wait_until_waiting(reservoir, 1);
    reservoir_set_limit(reservoir, 3); /* a larger one serves the queue */
    pthread_join(waiter.thread, NULL);
    assert_int_equal(atomic_load(waiter.next), 1);
    reservoir_release(reservoir, lent[3], 1);
    reservoir_release(reservoir, lent[4], 1);
    assert_int_equal(reservoir_counts(reservoir).idle, 3);
    reservoir_set_limit(reservoir, 0);
    assert_int_equal(reservoir_counts(reservoir).open, 0);
    end_reservoir(reservoir);
}

static void retires_by_tenants_by_age_and_by_idleness(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){
        .limit = 4, .retire_tenants = 10, .retire_age_ms = 1000000, .idle_timeout_ms = 3000});
    Connection *connection = must_acquire(reservoir, NULL);
    reservoir_release(reservoir, connection, 7); /* up to a fifth earlier than 10, so never at 7 */
    assert_int_equal(reservoir_counts(reservoir).idle, 1);
    connection = must_acquire(reservoir, NULL);
    reservoir_release(reservoir, connection, 3);
    assert_int_equal(reservoir_counts(reservoir).open, 0);

    reservoir_release(reservoir, must_acquire(reservoir, NULL), 1);
    atomic_fetch_add(&test_time_ms, 2999);
    reservoir_trim(reservoir);
    assert_int_equal(reservoir_counts(reservoir).idle, 1);
    atomic_fetch_add(&test_time_ms, 1);
    reservoir_trim(reservoir);
    assert_int_equal(reservoir_counts(reservoir).open, 0);

    connection = must_acquire(reservoir, NULL);
    atomic_fetch_add(&test_time_ms, 799999);
    reservoir_release(reservoir, connection, 1);
    assert_int_equal(reservoir_counts(reservoir).idle, 1);
    connection = must_acquire(reservoir, NULL);
    atomic_fetch_add(&test_time_ms, 200001);
    reservoir_release(reservoir, connection, 1);
    assert_int_equal(reservoir_counts(reservoir).open, 0);
    end_reservoir(reservoir);
}

static void *run_forever(void *argument)
{
    Task *task = argument;
    Connection *connection = reservoir_acquire(task->reservoir, task->sql, 0, &task->error);
    if (connection == NULL)
        return NULL;
    (void)!connection_exec(connection, "SELECT pg_sleep(600)", NULL, &task->error);
    reservoir_release(task->reservoir, connection, 1);
    return NULL;
}

static void cancels_what_is_lent_and_never_lends_that_again(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 3});
    Task ours = {.reservoir = reservoir, .sql = "pgconvoy/r1/0"};
    Task other = {.reservoir = reservoir, .sql = "pgconvoy/r2/0"};
    pthread_create(&ours.thread, NULL, run_forever, &ours);
    pthread_create(&other.thread, NULL, run_forever, &other);
    wait_until_zero("SELECT 2 - count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND "
                    "state = 'active'");
    reservoir_cancel_borrower(reservoir, "pgconvoy/r1/");
    pthread_join(ours.thread, NULL);
    assert_int_equal(ours.error.code, ERROR_CANCELLED);
    assert_int_equal(reservoir_counts(reservoir).open, 1); /* the other one runs on */
    reservoir_cancel(reservoir);
    pthread_join(other.thread, NULL);
    assert_int_equal(other.error.code, ERROR_CANCELLED);
    assert_int_equal(reservoir_counts(reservoir).open, 0);
    error_clear(&ours.error);
    error_clear(&other.error);
    end_reservoir(reservoir);
}

static void cancelling_races_with_returning(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = THREADS});
    atomic_int failures = 0, highest = 0, active = 0;
    Task tasks[THREADS];
    for (int i = 0; i < THREADS; i++) {
        tasks[i] = (Task){.reservoir = reservoir,
                          .sql = "SELECT 1",
                          .rounds = 40,
                          .failures = &failures,
                          .highest = &highest,
                          .active = &active};
        pthread_create(&tasks[i].thread, NULL, work, &tasks[i]);
    }
    for (int i = 0; i < 30; i++)
        reservoir_cancel(reservoir);
    for (int i = 0; i < THREADS; i++)
        pthread_join(tasks[i].thread, NULL);
    end_reservoir(reservoir);
}

static void names_sessions_and_prefers_the_one_of_that_name(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 3});
    Connection *a = must_acquire(reservoir, "pgconvoy/a/1"), *b = must_acquire(reservoir, "pgconvoy/a/2");
    int64_t pid_a = backend(a), pid_b = backend(b);
    reservoir_release(reservoir, a, 1);
    reservoir_release(reservoir, b, 1);
    a = must_acquire(reservoir, "pgconvoy/a/1");
    assert_int_equal(backend(a), pid_a);
    b = must_acquire(reservoir, "pgconvoy/z/1"); /* an idle one is renamed rather than a new one opened */
    assert_int_equal(backend(b), pid_b);
    assert_answer(b, "SHOW application_name", "pgconvoy/z/1");
    Error error ERROR_CLEANUP = {0};
    assert_true(connection_exec(b, SESSION_TAIL, NULL, &error)); /* takes the name of the start again */
    reservoir_release(reservoir, b, 1);
    b = must_acquire(reservoir, "pgconvoy/z/1");
    assert_int_equal(backend(b), pid_b);
    assert_answer(b, "SHOW application_name", "pgconvoy/z/1");
    reservoir_release(reservoir, b, 1);
    reservoir_release(reservoir, a, 1);
    assert_int_equal(reservoir_counts(reservoir).opened_total, 2);
    end_reservoir(reservoir);
}

static void owners_keep_their_own_while_there_is_room(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 2});
    Error error ERROR_CLEANUP = {0};
    int64_t pids[4] = {0};
    for (uint64_t owner = 1; owner <= 3; owner++) {
        Connection *connection =
            reservoir_acquire_for(reservoir, &(ReservoirRequest){.owner = owner}, &error);
        assert_non_null(connection);
        pids[owner] = backend(connection);
        reservoir_release(reservoir, connection, 1);
    }
    assert_int_not_equal(pids[1], pids[2]);
    assert_int_equal(pids[3], pids[1]); /* no room for a third: the one that is idle longest */
    assert_int_equal(reservoir_idle_of(reservoir, 1), 0);
    assert_int_equal(reservoir_idle_of(reservoir, 2), 1);
    assert_int_equal(reservoir_idle_of(reservoir, 3), 1);
    end_reservoir(reservoir);
}

static void closes_what_comes_back_unclean(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 2});
    Error error ERROR_CLEANUP = {0};
    Connection *connection = must_acquire(reservoir, NULL);
    assert_true(connection_exec(connection, "BEGIN", NULL, &error));
    reservoir_release(reservoir, connection, 1);
    assert_int_equal(reservoir_counts(reservoir).open, 0);
    connection = must_acquire(reservoir, NULL);
    assert_int_equal(PQenterPipelineMode(connection_pg(connection)), 1);
    reservoir_release(reservoir, connection, 1);
    assert_int_equal(reservoir_counts(reservoir).open, 0);
    end_reservoir(reservoir);
}

static void waits_for_others_when_the_server_has_no_more_room(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    sql_run(admin, "CREATE ROLE narrow LOGIN CONNECTION LIMIT 2");
    Error error ERROR_CLEANUP = {0};
    char text[128];
    snprintf(text, sizeof text, "postgresql://narrow@127.0.0.1:%d/postgres", cluster->port);
    ConnectionString *narrow = connection_string_new(text, &error);
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = THREADS, .url = narrow});
    atomic_int failures = 0, highest = 0, active = 0;
    Task tasks[THREADS];
    for (int i = 0; i < THREADS; i++) {
        tasks[i] = (Task){.reservoir = reservoir,
                          .sql = "SELECT pg_sleep(0.005)",
                          .rounds = 5,
                          .failures = &failures,
                          .highest = &highest,
                          .active = &active};
        pthread_create(&tasks[i].thread, NULL, work, &tasks[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(tasks[i].thread, NULL);
    assert_int_equal(failures, 0);
    assert_in_range(highest, 1, 2);
    end_reservoir(reservoir);
    connection_string_free(narrow);
}

static void closing_ends_waiting_and_a_hanging_connect_holds_up_nobody(void **state)
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
    ConnectionString *target = connection_string_new(text, &error);
    Reservoir *reservoir =
        make_reservoir((ReservoirOptions){.limit = 1, .url = target, .connect_timeout_ms = 1500});
    Task connecting = {.reservoir = reservoir, .next = &(atomic_int){0}}, waiting = connecting;
    pthread_create(&connecting.thread, NULL, queue_up, &connecting);
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (reservoir_counts(reservoir).open == 0 && deadline_left_ms(deadline) > 0)
        usleep(1000);
    pthread_create(&waiting.thread, NULL, queue_up, &waiting);
    wait_until_waiting(reservoir, 1); /* the connecting one counts against the limit */
    reservoir_close(reservoir);
    pthread_join(waiting.thread, NULL);
    assert_int_equal(waiting.error.code, ERROR_CANCELLED);
    assert_int_equal(reservoir_counts(reservoir).open, 1);
    pthread_join(connecting.thread, NULL);
    assert_int_equal(connecting.error.code, ERROR_CONNECT);
    assert_null(reservoir_acquire(reservoir, NULL, 0, &error));
    assert_int_equal(error.code, ERROR_CANCELLED);
    error_clear(&waiting.error);
    error_clear(&connecting.error);
    end_reservoir(reservoir);
    connection_string_free(target);
    close(silent);
}

static int start(void **state)
{
    (void)state;
    Error error ERROR_CLEANUP = {0};
    cluster = cluster_start("max_connections = 60");
    admin = cluster_connect(cluster, "postgres");
    char *text = cluster_url(cluster, "postgres");
    url = connection_string_new(text, &error);
    free(text);
    return url == NULL;
}

static int stop(void **state)
{
    (void)state;
    PQfinish(admin);
    connection_string_free(url);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_lends_more_than_its_limit_and_starves_nobody),
        cmocka_unit_test(serves_waiters_in_order_of_arrival),
        cmocka_unit_test(waiting_ends_at_its_deadline),
        cmocka_unit_test(replaces_backends_that_died_while_idle),
        cmocka_unit_test(survives_a_server_restart_and_fails_fast_while_it_is_down),
        cmocka_unit_test(a_smaller_grant_closes_idle_ones_now_and_lent_ones_later),
        cmocka_unit_test(retires_by_tenants_by_age_and_by_idleness),
        cmocka_unit_test(cancels_what_is_lent_and_never_lends_that_again),
        cmocka_unit_test(cancelling_races_with_returning),
        cmocka_unit_test(names_sessions_and_prefers_the_one_of_that_name),
        cmocka_unit_test(owners_keep_their_own_while_there_is_room),
        cmocka_unit_test(closes_what_comes_back_unclean),
        cmocka_unit_test(waits_for_others_when_the_server_has_no_more_room),
        cmocka_unit_test(closing_ends_waiting_and_a_hanging_connect_holds_up_nobody),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
