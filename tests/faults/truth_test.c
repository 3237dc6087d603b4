/* The judge of the programs here sees what it is there for. */
#include "tests/support/test.h"
#include "tests/support/truth.h"
#include <stdio.h>

enum { TENANTS = 3, MIGRATIONS = 2 };

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;
static Fleet *fleet;
static char *report;

static int start(void **state)
{
    (void)state;
    /* The checks are long statements about little: compiling them takes seconds. */
    cluster = cluster_start("jit = off");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

static void migrate_fleet(const char *format)
{
    fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, MIGRATIONS, NULL);
    fleet_configure(fleet, fleet->url, format);
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), &report, NULL), 0);
}

static void forget_fleet(void)
{
    free(report);
    fleet_free(fleet);
}

static void expect_complaint(char *found, const char *expected)
{
    if (found == NULL || strstr(found, expected) == NULL)
        fail_msg("not seen: %s\nbut: %s", expected, found != NULL ? found : "nothing");
    free(found);
}

static void expect_content(char *found)
{
    if (found != NULL)
        fail_msg("%s", found);
}

static void expect_true_fleet(void)
{
    expect_content(truth_violated(fleet));
    expect_content(truth_incomplete(fleet, MIGRATIONS));
    expect_content(truth_untold(fleet, report, MIGRATIONS, true));
    expect_content(truth_left_over(fleet, 10000));
}

/* Plants it, and takes it back. */
static void plant(const char *sql, const char *expected)
{
    sql_run(fleet->connection, "BEGIN; %s", sql);
    expect_complaint(truth_incomplete(fleet, MIGRATIONS), expected);
    sql_run(fleet->connection, "ROLLBACK");
}

static void work_done_twice_halfway_or_not_at_all_is_seen(void **state)
{
    (void)state;
    for (int hash = 0; hash < 2; hash++) {
        migrate_fleet(hash == 1 ? "  default_format: hash" : NULL);
        expect_true_fleet();
        plant("INSERT INTO public.marks VALUES ('tenant_t0001', '0001_m1')",
              "mark tenant_t0001 0001_m1 is there 2 times");
        plant("DELETE FROM public.marks WHERE schema = 'tenant_t0002' AND migration = '0002_m2'",
              "row tenant_t0002 0002_m2 has no mark");
        plant("DELETE FROM tenant_t0003.__drizzle_migrations WHERE id = 2",
              "mark tenant_t0003 0002_m2 has no row");
        plant("DELETE FROM tenant_t0003.__drizzle_migrations WHERE id = 2", "tenant_t0003 lacks 0002_m2");
        plant(hash == 1 ? "INSERT INTO tenant_t0001.__drizzle_migrations (hash) SELECT hash"
                          " FROM tenant_t0001.__drizzle_migrations WHERE id = 2"
                        : "INSERT INTO tenant_t0001.__drizzle_migrations (name) VALUES ('0003_m3')",
              "row tenant_t0001 0003_m3 has no mark");
        expect_true_fleet();
        forget_fleet();
    }
}

static void a_report_that_is_not_true_is_seen(void **state)
{
    (void)state;
    migrate_fleet(NULL);
    sql_run(fleet->connection, "DELETE FROM tenant_t0002.__drizzle_migrations WHERE name = '0002_m2'");
    expect_complaint(truth_untold(fleet, report, MIGRATIONS, true),
                     "0002_m2 is called applied to tenant_t0002 and is not recorded");
    expect_complaint(truth_untold(fleet, report, MIGRATIONS, false),
                     "tenant_t0002 is called successful and lacks migrations");
    const char *nobody = "{\"results\": [], \"summary\": {\"total\": 3, \"succeeded\": 3, \"failed\": 0,"
                         " \"skipped\": 0}}";
    expect_complaint(truth_untold(fleet, nobody, MIGRATIONS, true), "do not add up");
    expect_content(truth_untold(fleet, nobody, MIGRATIONS, false));
    const char *failed = "{\"results\": [{\"schema\": \"tenant_t0001\", \"success\": false, \"outcome\": "
                         "\"error\", \"error\": \"boo\", \"appliedMigrations\": []}], \"summary\": {}}";
    expect_complaint(truth_untold(fleet, failed, MIGRATIONS, false),
                     "is called failed and lacks nothing: boo");
    forget_fleet();
}

static void a_session_or_a_lock_that_stays_is_seen(void **state)
{
    (void)state;
    migrate_fleet(NULL);
    PGconn *other = cluster_connect(cluster, fleet->database);
    sql_run(other, "SELECT pg_advisory_lock(7)");
    expect_complaint(truth_left_over(fleet, 0), "lock 0/7");
    sql_run(other, "SELECT pg_advisory_unlock_all(); SET application_name = 'pgconvoy/x'");
    expect_complaint(truth_left_over(fleet, 20), "of pgconvoy/x");
    PQfinish(other);
    expect_content(truth_left_over(fleet, 10000));
    forget_fleet();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_done_twice_halfway_or_not_at_all_is_seen),
        cmocka_unit_test(a_report_that_is_not_true_is_seen),
        cmocka_unit_test(a_session_or_a_lock_that_stays_is_seen),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
