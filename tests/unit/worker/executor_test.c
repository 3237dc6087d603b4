/* The executor with operations that need no server: what is accepted, what is reported, who is aborted. */
#include "common/clock.h"
#include "tests/support/test.h"
#include "worker/executor.h"
#include <poll.h>
#include <stdio.h>

enum { SLOTS = 3, CONVERSATION = 7, DEADLINE_MS = 20000 };

typedef struct Fixture {
    Config *config;
    Executor *executor;
    Run *run;
} Fixture;

static const char TEXT[] = "databases:\n"
                           "  - name: main\n"
                           "    url: postgresql://nobody@127.0.0.1:1/nowhere\n";

static Fixture fixture_new(size_t slots)
{
    ERROR_CLEANUP Error error = {0};
    Fixture fixture = {.config = config_load_text("test", TEXT, sizeof TEXT - 1, &error)};
    if (fixture.config == NULL)
        fail_msg("%s", error.message);
    fixture.executor = executor_new(slots, NULL, &error);
    assert_non_null(fixture.executor);
    fixture.run = run_new(fixture.config, "0123456789abcdef0123456789abcdef", CONVERSATION, &error);
    assert_non_null(fixture.run);
    return fixture;
}

static void fixture_free(Fixture *fixture)
{
    executor_free(fixture->executor);
    run_release(fixture->run);
    config_free(fixture->config);
}

/* A job as it arrives, all of it malloc'ed. */
static JobMessage job_new(const char *operation, size_t tenants)
{
    JobMessage job = {
        .job = 1, .phase = 4, .grant = 5, .operation = strdup(operation), .database = strdup("main")};
    RunOptions *options = record_list_add(&RUN_OPTIONS, &job.options);
    options->retry_max_attempts = 1;
    options->connect_timeout_ms = 2000;
    for (size_t i = 0; i < tenants; i++) {
        JobTenant *tenant = record_list_add(&JOB_TENANT_RECORD, &job.tenants);
        tenant->index = (int64_t)i + 100;
        tenant->attempt = 2;
        assert_true(asprintf(&tenant->id, "t%zu", i) > 0);
        assert_true(asprintf(&tenant->schema, "tenant_t%zu", i) > 0);
    }
    return job;
}

static SharedBundle *bundle_new(void)
{
    SharedBundle *bundle = calloc(1, sizeof *bundle);
    assert_non_null(bundle);
    atomic_init(&bundle->references, 1);
    return bundle;
}

static void submit(Fixture *fixture, Run *run, SharedBundle *bundle, JobMessage *job)
{
    ERROR_CLEANUP Error error = {0};
    if (!executor_submit(fixture->executor, run, bundle, job, &error))
        fail_msg("%s", error.message);
}

typedef struct Seen {
    size_t started, finished;
    size_t outcomes[OUTCOME_COUNT];
} Seen;

static void collect(Fixture *fixture, size_t wanted, Seen *seen)
{
    int64_t until_ms = clock_now_ms(&SYSTEM_CLOCK) + DEADLINE_MS;
    while (seen->finished < wanted) {
        assert_true(clock_now_ms(&SYSTEM_CLOCK) < until_ms);
        struct pollfd item = {.fd = executor_fd(fixture->executor), .events = POLLIN};
        assert_true(poll(&item, 1, DEADLINE_MS) == 1);
        for (Report *report = executor_collect(fixture->executor), *next; report != NULL; report = next) {
            next = report->next;
            assert_int_equal(report->phase, 4);
            assert_int_equal(report->attempt, 2);
            assert_true(report->index >= 100);
            seen->started += report->kind == REPORT_STARTED;
            if (report->kind == REPORT_FINISHED) {
                seen->finished++;
                seen->outcomes[report->outcome]++;
            }
            report_free(report);
        }
    }
}

static void every_tenant_starts_and_ends_once(void **state)
{
    (void)state;
    Fixture fixture = fixture_new(SLOTS);
    for (int i = 0; i < 4; i++) {
        JobMessage job = job_new("null", 50);
        submit(&fixture, fixture.run, NULL, &job);
        assert_null(job.operation); /* moved away */
    }
    Seen seen = {0};
    collect(&fixture, 200, &seen);
    assert_int_equal(seen.started, 200);
    assert_int_equal(seen.finished, 200);
    assert_int_equal(seen.outcomes[OUTCOME_APPLIED], 200);
    fixture_free(&fixture);
}

static void the_end_of_all_work_wakes_the_loop(void **state)
{
    (void)state;
    Fixture fixture = fixture_new(1);
    JobMessage job = job_new("null", 1);
    submit(&fixture, fixture.run, NULL, &job);
    Seen seen = {0};
    collect(&fixture, 1, &seen);
    /* The last report may be seen while its task still counts; then another wake-up follows. */
    while (executor_load(fixture.executor) > 0) {
        struct pollfd item = {.fd = executor_fd(fixture.executor), .events = POLLIN};
        assert_int_equal(poll(&item, 1, DEADLINE_MS), 1);
        assert_null(executor_collect(fixture.executor));
    }
    fixture_free(&fixture);
}

static void a_set_job_ends_for_each_of_its_tenants(void **state)
{
    (void)state;
    Fixture fixture = fixture_new(SLOTS);
    SharedBundle *bundle = bundle_new();
    JobMessage job = job_new("status", 100);
    submit(&fixture, fixture.run, bundle, &job);
    Seen seen = {0};
    collect(&fixture, 100, &seen); /* nobody listens at port 1 */
    assert_int_equal(seen.started, 100);
    assert_int_equal(seen.outcomes[OUTCOME_ERROR], 100);
    shared_bundle_release(bundle);
    fixture_free(&fixture);
}

static void an_aborted_run_gives_its_tenants_back_unstarted(void **state)
{
    (void)state;
    Fixture fixture = fixture_new(SLOTS);
    run_abort(fixture.run, false);
    JobMessage job = job_new("null", 50);
    submit(&fixture, fixture.run, NULL, &job);
    Seen seen = {0};
    collect(&fixture, 50, &seen);
    assert_int_equal(seen.started, 0);
    assert_int_equal(seen.outcomes[OUTCOME_NOT_STARTED], 50);
    fixture_free(&fixture);
}

/* Without slots nothing is taken from the queue, so what is queued can be looked at. */
static void aborting_reaches_the_queued_jobs_of_one_conversation_or_of_all(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Fixture fixture = fixture_new(0);
    Run *other = run_new(fixture.config, "other", CONVERSATION + 1, &error);
    assert_non_null(other);
    JobMessage job = job_new("null", 1), second = job_new("null", 1);
    submit(&fixture, fixture.run, NULL, &job);
    submit(&fixture, other, NULL, &second);
    executor_abort(fixture.executor, CONVERSATION + 1, true);
    assert_false(atomic_load(&fixture.run->aborting));
    assert_true(atomic_load(&other->aborting));
    executor_abort(fixture.executor, 0, false);
    assert_true(atomic_load(&fixture.run->aborting));
    run_release(other);
    fixture_free(&fixture); /* drops the queue */
}

typedef struct BadJob {
    const char *operation, *database;
    size_t tenants, options;
    const char *id, *schema; /* of the first tenant */
    const char *says;
} BadJob;

static const char LONG_SCHEMA[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static const BadJob BAD_JOBS[] = {
    {"explode", "main", 1, 1, "a", "tenant_a", "does not know the operation"},
    {"null", "other", 1, 1, "a", "tenant_a", "does not reach the database"},
    {"null", "main", 0, 1, "a", "tenant_a", "0 tenants"},
    {"null", "main", 51, 1, "a", "tenant_a", "the limit of null is 50"},
    {"status", "main", 1, 1, "a", "tenant_a", "names no migrations"},
    {"migrate", "main", 1, 1, "a", "tenant_a", "names no migrations"},
    {"null", "main", 1, 0, "a", "tenant_a", "0 options"},
    {"null", "main", 1, 2, "a", "tenant_a", "2 options"},
    {"null", "main", 1, 1, "", "tenant_a", "id"},
    {"null", "main", 1, 1, "a", "", "schema"},
    {"null", "main", 1, 1, "a", "public", "public"},
    {"null", "main", 1, 1, "a", "pg_toast", "pg_"},
    {"null", "main", 1, 1, "a", LONG_SCHEMA, "63"},
    {"null", "main", 1, 1, "a", NULL, "without id or schema"},
};

static void a_job_that_cannot_be_right_is_refused_whole(void **state)
{
    (void)state;
    Fixture fixture = fixture_new(SLOTS);
    for (size_t i = 0; i < sizeof BAD_JOBS / sizeof BAD_JOBS[0]; i++) {
        const BadJob *bad = &BAD_JOBS[i];
        JobMessage job = job_new(bad->operation, bad->tenants);
        free(job.database);
        job.database = strdup(bad->database);
        if (bad->options == 2)
            assert_non_null(record_list_add(&RUN_OPTIONS, &job.options));
        RecordList options = job.options;
        if (bad->options == 0)
            job.options = (RecordList){0};
        JobTenant *first = job.tenants.items;
        if (first != NULL) {
            free(first->id);
            free(first->schema);
            first->id = strdup(bad->id);
            first->schema = bad->schema != NULL ? strdup(bad->schema) : NULL;
        }
        ERROR_CLEANUP Error error = {0};
        assert_false(executor_submit(fixture.executor, fixture.run, NULL, &job, &error));
        assert_int_equal(error.code == ERROR_PROTOCOL || error.code == ERROR_TENANTS, true);
        if (strstr(error.message, bad->says) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error.message, bad->says);
        assert_string_equal(job.operation, bad->operation); /* still ours */
        assert_int_equal(job.tenants.count, bad->tenants);
        job.options = options;
        record_clear(&JOB_RECORD, &job);
    }
    assert_int_equal(executor_load(fixture.executor), 0);
    fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tenant_starts_and_ends_once),
        cmocka_unit_test(the_end_of_all_work_wakes_the_loop),
        cmocka_unit_test(a_set_job_ends_for_each_of_its_tenants),
        cmocka_unit_test(an_aborted_run_gives_its_tenants_back_unstarted),
        cmocka_unit_test(aborting_reaches_the_queued_jobs_of_one_conversation_or_of_all),
        cmocka_unit_test(a_job_that_cannot_be_right_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
