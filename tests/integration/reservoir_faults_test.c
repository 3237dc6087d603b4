/* The reservoir when connections, servers and callers go bad. */
#include "tests/integration/reservoir_fixture.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

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
        lent[i] = must_acquire(reservoir, "doomed"); /* nothing is sent that would find out */
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
    Error error ERROR_CLEANUP = {0};
    Deadline deadline = deadline_after_ms(PATIENCE_MS);
    while (connection_is_reusable(second) && deadline_left_ms(deadline) > 0)
        usleep(1000); /* the backends notice the loss of their parent by themselves, each in its time */
    while ((first = reservoir_acquire(reservoir, NULL, 0, &error)) != NULL && deadline_left_ms(deadline) > 0)
        reservoir_release(reservoir, first, 1);
    assert_null(first);
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
    wait_until_open(reservoir, 1); /* the other one runs on */
    reservoir_cancel(reservoir);
    pthread_join(other.thread, NULL);
    assert_int_equal(other.error.code, ERROR_CANCELLED);
    wait_until_open(reservoir, 0);
    error_clear(&ours.error);
    error_clear(&other.error);
    end_reservoir(reservoir);
}

static void cancelling_waits_for_no_server_and_outlives_its_reservoir(void **state)
{
    (void)state;
    Reservoir *reservoir = make_reservoir((ReservoirOptions){.limit = 1});
    Task task = {.reservoir = reservoir, .sql = "pgconvoy/r3/0"};
    pthread_create(&task.thread, NULL, run_forever, &task);
    wait_until_zero("SELECT 1 - count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND "
                    "state = 'active'");
    kill(cluster->server, SIGSTOP); /* nobody takes cancel requests now */
    Deadline patience = deadline_after_ms(PATIENCE_MS);
    reservoir_cancel(reservoir);
    assert_int_equal(reservoir_counts(reservoir).open, 1);
    assert_true(deadline_left_ms(patience) > PATIENCE_MS / 2);
    kill(cluster->server, SIGCONT);
    pthread_join(task.thread, NULL);
    assert_int_equal(task.error.code, ERROR_CANCELLED);
    reservoir_close(reservoir);
    reservoir_free(reservoir); /* maybe before the thread that cancelled has ended */
    error_clear(&task.error);
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
    Task connecting = {.reservoir = reservoir}, waiting = connecting;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_backends_that_died_while_idle),
        cmocka_unit_test(survives_a_server_restart_and_fails_fast_while_it_is_down),
        cmocka_unit_test(cancels_what_is_lent_and_never_lends_that_again),
        cmocka_unit_test(cancelling_waits_for_no_server_and_outlives_its_reservoir),
        cmocka_unit_test(cancelling_races_with_returning),
        cmocka_unit_test(closes_what_comes_back_unclean),
        cmocka_unit_test(waits_for_others_when_the_server_has_no_more_room),
        cmocka_unit_test(closing_ends_waiting_and_a_hanging_connect_holds_up_nobody),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
