/* Callbacks of a program that embeds pgconvoy: whole runs with a hosted worker, several tenants at a time. */
#include "common/buffer.h"
#include "coordinator/migrator.h"
#include "coordinator/sync.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <stdio.h>

enum { TENANTS = 24 };

static Cluster *cluster;
static PGconn *admin;
static char *folder;

/* What is heard of each tenant: one letter for each call, "s" starting, "(" before_tenant, "[" and "]" around
 * a migration, ")" after_tenant, "c" completed, "f" failed. Nothing locks it: calls come one at a time. */
typedef struct Heard {
    char letters[TENANTS + 1][64];
    const char *failing; /* tenant whose after_tenant fails; NULL = nobody's */
    int failed_told;     /* on_failed calls */
} Heard;

static bool hear(Heard *heard, const char *tenant_id, char letter)
{
    char *letters = heard->letters[atoi(tenant_id + 1)];
    size_t length = strlen(letters);
    assert_true(length + 1 < sizeof heard->letters[0]);
    letters[length] = letter;
    return true;
}

static bool on_progress(void *context, const char *tenant_id, const char *status, const char *migration,
                        Error *error)
{
    (void)error;
    return strcmp(status, "migrating") == 0 ? migration != NULL : hear(context, tenant_id, status[0]);
}

static bool before_tenant(void *context, const char *tenant_id, Error *error)
{
    (void)error;
    return hear(context, tenant_id, '(');
}

static bool after_tenant(void *context, const char *tenant_id, const TenantMigrationResult *result,
                         Error *error)
{
    Heard *heard = context;
    assert_string_equal(result->tenant_id, tenant_id);
    hear(heard, tenant_id, ')');
    if (heard->failing == NULL || strcmp(heard->failing, tenant_id) != 0)
        return true;
    return pgconvoy_error_set(error, "no more");
}

static bool before_migration(void *context, const char *tenant_id, const char *migration, Error *error)
{
    (void)migration, (void)error;
    return hear(context, tenant_id, '[');
}

static bool after_migration(void *context, const char *tenant_id, const char *migration, int64_t duration_ms,
                            Error *error)
{
    (void)migration, (void)duration_ms, (void)error;
    return hear(context, tenant_id, ']');
}

static HostCallbacks hooks_for(Heard *heard)
{
    *heard = (Heard){0};
    return (HostCallbacks){.context = heard,
                           .on_progress = on_progress,
                           .before_tenant = before_tenant,
                           .after_tenant = after_tenant,
                           .before_migration = before_migration,
                           .after_migration = after_migration};
}

/* Of every tenant but `except` (0 = of all). */
static void expect_heard(const Heard *heard, const char *expected, int except)
{
    for (int i = 1; i <= TENANTS; i++)
        if (i != except)
            assert_string_equal(heard->letters[i], expected);
}

static Config *load(const char *extra)
{
    ERROR_CLEANUP Error error = {0};
    char *text, *url = cluster_url(cluster, "postgres");
    assert_true(asprintf(&text,
                         "databases:\n  - name: main\n    url: %s\n    max_connections: 4\n"
                         "tenants:\n  query: select id from public.tenants order by id\n"
                         "migrations:\n  folder: %s\n%s",
                         url, folder, extra) > 0);
    Config *config = config_load_text("test", text, strlen(text), &error);
    if (config == NULL)
        fail_msg("%s", error.message);
    free(text);
    free(url);
    return config;
}

static long long tables(void)
{
    return sql_number(admin, "SELECT count(*) FROM pg_tables WHERE tablename IN ('a', 'b')");
}

static const TextList NO_WORKERS;

static void migrate(const RunRequest *request, RunReport *ret_report)
{
    ERROR_CLEANUP Error error = {0};
    if (!migrator_run(request, ret_report, &error))
        fail_msg("%s", error.message);
}

static bool count_failed(void *host, const TenantMigrationResult *result)
{
    ((Heard *)host)->failed_told++;
    assert_string_equal(result->error, "no more");
    return false;
}

static void a_run_is_heard_tenant_by_tenant(void **state)
{
    (void)state;
    Config *config = load("run: {concurrency: 8}\n");
    Heard heard;
    HostCallbacks hooks = hooks_for(&heard);
    RunRequest request = {.fleet = {.config = config,
                                    .workers = &NO_WORKERS,
                                    .hooks = &hooks,
                                    .interrupt_fd = -1,
                                    .host = &heard},
                          .on_failed = count_failed};
    RunReport report;
    migrate(&request, &report);
    assert_int_equal(report.totals.succeeded, TENANTS);
    expect_heard(&heard, "s([][])c", 0);
    run_report_clear(&report);
    assert_int_equal(tables(), 2 * TENANTS);

    /* Nobody has work: everybody is heard of all the same, and a hook may still fail. */
    hooks = hooks_for(&heard);
    heard.failing = "t0007";
    migrate(&request, &report);
    expect_heard(&heard, "s()c", 7);
    assert_string_equal(heard.letters[7], "s()f");
    assert_int_equal(report.totals.failed, 1);
    assert_int_equal(report.totals.succeeded, TENANTS - 1);
    assert_string_equal(run_report_result(&report, 6).error, "no more");
    assert_int_equal(heard.failed_told, 1);
    run_report_clear(&report);

    hooks = hooks_for(&heard);
    request.dry_run = true;
    migrate(&request, &report);
    expect_heard(&heard, "", 0);
    assert_int_equal(report.totals.succeeded, TENANTS);
    run_report_clear(&report);

    hooks = hooks_for(&heard);
    request.dry_run = false;
    request.action = RUN_STATUS;
    migrate(&request, &report);
    expect_heard(&heard, "", 0);
    run_report_clear(&report);
    config_free(config);
}

static void a_failing_hook_aborts_a_run_that_says_so(void **state)
{
    (void)state;
    Config *config = load("run: {concurrency: 2, on_error: abort}\n");
    Heard heard;
    HostCallbacks hooks = hooks_for(&heard);
    heard.failing = "t0003";
    RunRequest request = {.fleet = {.config = config,
                                    .workers = &NO_WORKERS,
                                    .hooks = &hooks,
                                    .interrupt_fd = -1,
                                    .host = &heard},
                          .on_failed = count_failed};
    RunReport report;
    migrate(&request, &report);
    assert_int_equal(report.totals.failed, 1);
    assert_int_equal(report.totals.succeeded, 3);
    assert_int_equal(report.totals.skipped, TENANTS - 4);
    assert_int_equal(run_report_result(&report, 2).applied_migrations.count, 2);
    assert_int_equal(heard.failed_told, 1);
    run_report_clear(&report);
    config_free(config);
}

static void sync_tells_of_every_tenant(void **state)
{
    (void)state;
    Config *config = load("run: {concurrency: 8}\n");
    Heard heard;
    HostCallbacks hooks = hooks_for(&heard);
    SyncRequest request = {.fleet = {.config = config,
                                     .workers = &NO_WORKERS,
                                     .hooks = &hooks,
                                     .interrupt_fd = -1,
                                     .host = &heard},
                           .action = SYNC_MARK_MISSING};
    for (int round = 0; round < 3; round++) {
        ERROR_CLEANUP Error error = {0};
        SyncReport report;
        hooks = hooks_for(&heard);
        request.dry_run = round == 2;
        if (!sync_run(&request, &report, &error))
            fail_msg("%s", error.message);
        assert_int_equal(report.totals.succeeded, TENANTS);
        for (size_t i = 0; i < TENANTS; i++)
            assert_int_equal(sync_entry_done(&report, i)->count, round == 0 ? 2 : 0);
        expect_heard(&heard, round < 2 ? "sc" : "", 0);
        sync_report_clear(&report);
    }
    config_free(config);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    admin = cluster_connect(cluster, "postgres");
    folder = make_folder();
    write_file(folder, "0001_a.sql", "CREATE TABLE a ()");
    write_file(folder, "0002_b.sql", "CREATE TABLE b ()");
    sql_run(admin,
            "CREATE TABLE public.tenants AS SELECT 't' || lpad(i::text, 4, '0') AS id"
            " FROM generate_series(1, %d) i",
            TENANTS);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    PQfinish(admin);
    cluster_stop(cluster);
    remove_tree(folder);
    free(folder);
    return 0;
}

/* Every tenant's schema is empty. */
static int renew(void **state)
{
    (void)state;
    sql_run(admin, "DO $$ DECLARE t text; BEGIN FOR t IN SELECT 'tenant_' || id FROM public.tenants LOOP"
                   " EXECUTE format('DROP SCHEMA IF EXISTS %%I CASCADE', t);"
                   " EXECUTE format('CREATE SCHEMA %%I', t); END LOOP; END $$");
    return 0;
}

#define TEST(function) cmocka_unit_test_setup(function, renew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_heard_tenant_by_tenant),
        TEST(a_failing_hook_aborts_a_run_that_says_so),
        TEST(sync_tells_of_every_tenant),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
