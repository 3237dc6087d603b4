/* Seeding one tenant by a callback: what it may do, what it cannot get away with, and what its host hears. */
#include "common/buffer.h"
#include "common/pgconvoy/error.h"
#include "tests/integration/seed_support.h"

/* What the callbacks of this file do and have heard. */
typedef struct Host {
    const char *sql;       /* run by the seed, or NULL */
    const char *complaint; /* the seed fails with this afterwards, or NULL */
    bool (*act)(PGconn *connection);
    int calls;
    const char *fail_at; /* status at which progress fails */
    Buffer heard;
    pthread_t thread;
    bool open; /* the transaction was open when it was called */
} Host;

static Host host;

static bool do_seed(void *context, const char *tenant_id, PGconn *connection, pgconvoy_error *error)
{
    Host *self = context;
    self->calls++;
    self->thread = pthread_self();
    self->open = PQtransactionStatus(connection) == PQTRANS_INTRANS;
    assert_string_equal(tenant_id, "t");
    PGresult *result = self->sql != NULL ? PQexec(connection, self->sql) : NULL;
    bool good = result == NULL || PQresultStatus(result) != PGRES_FATAL_ERROR;
    if (!good && self->complaint == NULL)
        pgconvoy_error_set(error, "%s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    PQclear(result);
    if (self->act != NULL)
        good = self->act(connection);
    return self->complaint != NULL ? pgconvoy_error_set(error, "%s", self->complaint) : good;
}

static bool hear(void *context, const char *tenant_id, const char *status, const char *migration,
                 pgconvoy_error *error)
{
    Host *self = context;
    assert_null(migration);
    buffer_appendf(&self->heard, "%s %s;", tenant_id, status);
    bool fails = self->fail_at != NULL && strcmp(self->fail_at, status) == 0;
    return !fails || pgconvoy_error_set(error, "no more %s", status);
}

static void use_host(Host wanted)
{
    buffer_clear(&host.heard);
    host = wanted;
    use_hooks(&(HostCallbacks){.context = &host, .seed = do_seed, .on_progress = hear});
}

static void expect_heard(const char *expected)
{
    assert_string_equal(buffer_text(&host.heard), expected);
    buffer_clear(&host.heard);
}

static void a_callback_works_in_the_tenant_s_transaction(void **state)
{
    (void)state;
    Reservoir *const ways[] = {bench->direct, bench->pooled};
    for (size_t i = 0; i < 2; i++) {
        use_host((Host){.sql = "INSERT INTO items VALUES (1)"});
        SEEDED_CLEANUP Seeded seeded = seed_by_callback(ways[i]);
        expect_outcome(&seeded, OUTCOME_APPLIED);
        assert_int_equal(host.calls, 1);
        assert_true(host.open);
        assert_true(pthread_equal(host.thread, pthread_self()));
        assert_int_equal(items(), i + 1);
        expect_heard("t starting;t seeding;t completed;");
    }
    assert_int_equal(state_rows(), -1);
}

static void a_callback_that_fails_leaves_nothing(void **state)
{
    (void)state;
    use_host((Host){.sql = "INSERT INTO items VALUES (1)", .complaint = "no plans for this tenant"});
    SEEDED_CLEANUP Seeded failed = seed_by_callback(bench->direct);
    expect_outcome(&failed, OUTCOME_ERROR);
    assert_string_equal(failed.result.error, "no plans for this tenant");
    expect_heard("t starting;t seeding;t failed;");
    use_host((Host){.sql = "INSERT INTO nowhere VALUES (1)"});
    SEEDED_CLEANUP Seeded by_server = seed_by_callback(bench->direct);
    assert_string_equal(by_server.result.error, "relation \"nowhere\" does not exist");
    assert_int_equal(items(), 0);
    assert_int_equal(host.calls, 1);
}

static void without_a_callback_there_is_a_clear_error(void **state)
{
    (void)state;
    SEEDED_CLEANUP Seeded none = seed_by_callback(bench->direct);
    expect_failure(&none, NULL, "this worker has no seed callback");
    assert_non_null(none.result.hint);
    use_hooks(&(HostCallbacks){.on_progress = hear, .context = &host});
    SEEDED_CLEANUP Seeded other = seed_by_callback(bench->direct);
    expect_failure(&other, NULL, "this worker has no seed callback");
    bench->options.once = true;
    use_host((Host){0});
    SEEDED_CLEANUP Seeded once = seed_by_callback(bench->direct);
    expect_failure(&once, NULL, "no content by which to run it once");
    buffer_clear(&host.heard);
}

static bool send_and_leave(PGconn *connection)
{
    return PQsendQuery(connection, "SELECT 1") == 1;
}

static bool enter_pipeline(PGconn *connection)
{
    return PQenterPipelineMode(connection) == 1;
}

static bool pipeline_in_use(PGconn *connection)
{
    return PQenterPipelineMode(connection) == 1 &&
           PQsendQueryParams(connection, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0) == 1;
}

static void a_callback_cannot_leave_the_transaction_ended_or_the_connection_busy(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        bool (*act)(PGconn *connection);
        const char *error;
        long long stays;
    } CASES[] = {
        {"INSERT INTO items VALUES (1); COMMIT", NULL, "ended the transaction", 1},
        {"INSERT INTO items VALUES (1); ROLLBACK", NULL, "ended the transaction", 0},
        {"INSERT INTO items VALUES (1); COMMIT; BEGIN", NULL, "the transaction was ended by the callback", 1},
        {"INSERT INTO items VALUES (1); ROLLBACK; BEGIN; SELECT pg_current_xact_id()", NULL,
         "the transaction was ended by the callback", 0},
        {"COPY items FROM stdin", NULL, "with a statement unfinished", 0},
        {"COPY items TO stdout", NULL, "with a statement unfinished", 0},
        {"INSERT INTO items VALUES (1)", send_and_leave, "with a statement unfinished", 0},
        {"INSERT INTO items VALUES (1)", enter_pipeline, "with a statement unfinished", 0},
        {"INSERT INTO items VALUES (1)", pipeline_in_use, "with a statement unfinished", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        renew(NULL);
        use_host((Host){.sql = CASES[i].sql, .act = CASES[i].act});
        SEEDED_CLEANUP Seeded seeded = seed_by_callback(bench->direct);
        if (seeded.result.success)
            fail_msg("passed: %s", CASES[i].sql);
        expect_outcome(&seeded, OUTCOME_ERROR);
        if (strstr(seeded.result.error, CASES[i].error) == NULL)
            fail_msg("%s: %s", CASES[i].sql, seeded.result.error);
        if (items() != CASES[i].stays)
            fail_msg("%s: %lld rows", CASES[i].sql, items());
        use_host((Host){.sql = "SELECT 1"});
        SEEDED_CLEANUP Seeded next = seed_by_callback(bench->direct);
        expect_outcome(&next, OUTCOME_APPLIED);
    }
}

static bool swallow(PGconn *connection)
{
    PQclear(PQexec(connection, "INSERT INTO nowhere VALUES (1)"));
    return true;
}

static void a_failed_statement_cannot_be_kept_silent(void **state)
{
    (void)state;
    use_host((Host){.sql = "INSERT INTO items VALUES (1)", .act = swallow});
    SEEDED_CLEANUP Seeded seeded = seed_by_callback(bench->direct);
    expect_failure(&seeded, NULL, "a statement of its transaction has failed");
    assert_int_equal(items(), 0);
    use_host((Host){.sql =
                        "INSERT INTO items VALUES (1); SAVEPOINT a; INSERT INTO items VALUES (2); ROLLBACK "
                        "TO a; SAVEPOINT b"});
    SEEDED_CLEANUP Seeded savepoints = seed_by_callback(bench->direct);
    expect_outcome(&savepoints, OUTCOME_APPLIED);
    assert_int_equal(items(), 1);
    sql_run(bench->admin, "CREATE TABLE t.late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    use_host((Host){.sql = "INSERT INTO late VALUES (1), (1)"});
    SEEDED_CLEANUP Seeded deferred = seed_by_callback(bench->direct);
    expect_failure(&deferred, "23505", "duplicate key");
}

static int notices;

static void count_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
    notices++;
}

static bool rearrange(PGconn *connection)
{
    PQsetNoticeReceiver(connection, count_notice, NULL);
    PQsetErrorVerbosity(connection, PQERRORS_TERSE);
    PQsetnonblocking(connection, 1);
    return true;
}

static void what_a_callback_changes_ends_with_it(void **state)
{
    (void)state;
    use_host((Host){.sql =
                        "SET work_mem = '1MB'; SET search_path = pg_catalog; SET ROLE pg_monitor; PREPARE p "
                        "AS SELECT 1; SELECT pg_advisory_lock(78)",
                    .act = rearrange});
    SEEDED_CLEANUP Seeded first = seed_by_callback(bench->direct);
    expect_outcome(&first, OUTCOME_APPLIED);
    bench->options.by_callback = false;
    SEEDED_CLEANUP Seeded next =
        seed("DO $$ BEGIN IF current_setting('work_mem') = '1MB' OR current_user <> session_user OR EXISTS "
             "(SELECT FROM pg_prepared_statements WHERE name = 'p') OR EXISTS (SELECT FROM pg_locks WHERE "
             "objid = 78) THEN RAISE 'left'; END IF; RAISE NOTICE 'heard'; END $$");
    expect_outcome(&next, OUTCOME_APPLIED);
    assert_int_equal(notices, 0);
}

/* The host's callbacks come one at a time, so that a transaction may wait long for its turn. */
static void how_long_a_callback_thinks_is_its_own_business(void **state)
{
    (void)state;
    use_host((Host){.sql =
                        "DO $$ BEGIN IF current_setting('idle_in_transaction_session_timeout') <> '0' THEN "
                        "RAISE 'in a hurry'; END IF; END $$"});
    SEEDED_CLEANUP Seeded patient = seed_by_callback(bench->direct);
    expect_outcome(&patient, OUTCOME_APPLIED);
    bench->options.by_callback = false;
    SEEDED_CLEANUP Seeded file =
        seed("DO $$ BEGIN IF current_setting('idle_in_transaction_session_timeout') = '0' THEN RAISE 'left'; "
             "END IF; END $$");
    expect_outcome(&file, OUTCOME_APPLIED);
}

static void a_missing_schema_is_told_without_calling(void **state)
{
    (void)state;
    use_host((Host){.sql = "SELECT 1"});
    sql_run(bench->admin, "DROP SCHEMA t CASCADE");
    SEEDED_CLEANUP Seeded missing = seed_by_callback(bench->direct);
    expect_outcome(&missing, OUTCOME_NO_SCHEMA);
    assert_int_equal(host.calls, 0);
    expect_heard("t starting;t failed;");
}

static void a_host_that_does_not_want_to_hear_fails_the_tenant(void **state)
{
    (void)state;
    use_host((Host){.sql = "INSERT INTO items VALUES (1)", .fail_at = "seeding"});
    SEEDED_CLEANUP Seeded before = seed_by_callback(bench->direct);
    expect_failure(&before, NULL, "no more seeding");
    assert_int_equal(host.calls, 0);
    assert_int_equal(items(), 0);
    use_host((Host){.sql = "INSERT INTO items VALUES (1)", .fail_at = "completed"});
    SEEDED_CLEANUP Seeded after = seed_by_callback(bench->direct);
    expect_failure(&after, NULL, "no more completed");
    assert_string_equal(after.result.hint, "the seed itself was committed");
    assert_int_equal(items(), 1);
    buffer_clear(&host.heard);
}

static void a_connection_that_breaks_under_the_callback_is_replaced(void **state)
{
    (void)state;
    sql_run(bench->admin, "CREATE SEQUENCE t.tries");
    use_host((Host){.sql = "INSERT INTO items VALUES (1); SELECT CASE nextval('tries') WHEN 1 THEN "
                           "pg_terminate_backend(pg_backend_pid()) END; SELECT pg_sleep(0.01)"});
    SEEDED_CLEANUP Seeded seeded = seed_by_callback(bench->direct);
    expect_outcome(&seeded, OUTCOME_APPLIED);
    assert_int_equal(host.calls, 2);
    assert_int_equal(items(), 1);
    expect_heard("t starting;t seeding;t completed;");
    use_host((Host){.sql = "SELECT pg_terminate_backend(pg_backend_pid())"});
    SEEDED_CLEANUP Seeded never = seed_by_callback(bench->direct);
    expect_outcome(&never, OUTCOME_ERROR);
    assert_int_equal(host.calls, 3);
    buffer_clear(&host.heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_callback_works_in_the_tenant_s_transaction),
        TEST(a_callback_that_fails_leaves_nothing),
        TEST(without_a_callback_there_is_a_clear_error),
        TEST(a_callback_cannot_leave_the_transaction_ended_or_the_connection_busy),
        TEST(a_failed_statement_cannot_be_kept_silent),
        TEST(what_a_callback_changes_ends_with_it),
        TEST(how_long_a_callback_thinks_is_its_own_business),
        TEST(a_missing_schema_is_told_without_calling),
        TEST(a_host_that_does_not_want_to_hear_fails_the_tenant),
        TEST(a_connection_that_breaks_under_the_callback_is_replaced),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
