/* The reservoir against a real server: its limit, its queue, its choice. */
#include "tests/integration/reservoir_fixture.h"

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
    atomic_int next = 0;
    Task waiter = {.reservoir = reservoir, .order = (int[1]){0}, .next = &next};
    pthread_create(&waiter.thread, NULL, queue_up, &waiter);
    wait_until_waiting(reservoir, 1);
    reservoir_set_limit(reservoir, 3); /* a larger one serves the queue */
    pthread_join(waiter.thread, NULL);
    assert_int_equal(next, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_lends_more_than_its_limit_and_starves_nobody),
        cmocka_unit_test(serves_waiters_in_order_of_arrival),
        cmocka_unit_test(waiting_ends_at_its_deadline),
        cmocka_unit_test(a_smaller_grant_closes_idle_ones_now_and_lent_ones_later),
        cmocka_unit_test(retires_by_tenants_by_age_and_by_idleness),
        cmocka_unit_test(names_sessions_and_prefers_the_one_of_that_name),
        cmocka_unit_test(owners_keep_their_own_while_there_is_room),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
