/* The other operations that write, when the process dies at any of its messages to the server: all or nothing
 * for each tenant, and right after another run. */
#include "tests/support/crash.h"
#include "tests/support/test.h"
#include "tests/support/truth.h"
#include <stdio.h>

enum { TENANTS = 4, LEFT_OVER_MS = 20000, TRIES = 4 };

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;
static Fleet *fleet;

static int start(void **state)
{
    (void)state;
    /* The checks are long statements about little: compiling them takes seconds. */
    cluster = cluster_start("max_connections = 60\njit = off");
    fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, 2, NULL);
    write_file(fleet->folder, "seed.sql", "INSERT INTO public.marks VALUES (current_schema(), 'seed');\n");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fleet_free(fleet);
    cluster_stop(cluster);
    return 0;
}

/* Each tenant's line: tables with columns and rows, indexes, sequences, marks. "new" is who comes by creating
 * and cloning. */
static char *state_of_tenants(void)
{
    return sql_text(
        fleet->connection,
        "SELECT string_agg(concat(s, ': ', (SELECT string_agg(concat(relname, ' ', relkind, ' ',"
        " (SELECT string_agg(attname || ' ' || atttypid::regtype, ',' ORDER BY attnum) FROM pg_attribute"
        "  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), ' ',"
        " CASE relkind WHEN 'r' THEN (xpath('/row/n/text()', query_to_xml(format("
        "  'SELECT count(*) AS n FROM %%I.%%I', s, relname), false, true, '')))[1]::text END),"
        " '; ' ORDER BY relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = s), ' marks ', (SELECT string_agg(migration, ',' ORDER BY migration)"
        "  FROM public.marks WHERE schema = s),"
        " CASE WHEN NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = s) THEN ' absent' END),"
        " E'\\n' ORDER BY s) FROM (SELECT 'tenant_' || id AS s FROM public.tenants"
        " UNION ALL SELECT 'tenant_new') all_of_them");
}

typedef struct Case {
    const char *name;
    const char *const *prepare; /* a command before it, or NULL */
    const char *sql;            /* likewise */
    const char *const *words;
    bool in_steps;      /* several transactions for a tenant: between them it may be on its way */
    bool refuses_again; /* what has been done cannot be done twice */
} Case;

static void begin(const Case *test)
{
    crash_renew(fleet);
    if (test->prepare != NULL)
        crash_run(fleet, test->prepare, 0, NULL);
    if (test->sql != NULL)
        sql_run(fleet->connection, "%s", test->sql);
    crash_expect(truth_left_over(fleet, LEFT_OVER_MS), test->name, 0);
}

/* Line by line as it was or as it will be. */
static void expect_all_or_nothing(const char *now, const char *before, const char *after, const char *name,
                                  long at)
{
    while (*now != '\0') {
        size_t length = strcspn(now, "\n"), old = strcspn(before, "\n"), new = strcspn(after, "\n");
        bool is_old = length == old && strncmp(now, before, length) == 0;
        bool is_new = length == new &&strncmp(now, after, length) == 0;
        if (!is_old && !is_new)
            fail_msg("%s, point %ld: half of it is done: %.*s", name, at, (int)length, now);
        now += length + (now[length] != '\0');
        before += old + (before[old] != '\0');
        after += new + (after[new] != '\0');
    }
}

static void expect_refused(const Case *test, long at)
{
    char *out, *err;
    int status = fleet_run(fleet, test->words, &out, &err);
    if (status != 1 || (strstr(out, "exists") == NULL && strstr(err, "exists") == NULL))
        fail_msg("%s, point %ld: exit %d: %s%s", test->name, at, status, out, err);
    free(out);
    free(err);
}

/* Dies at a point, is run again, and is where it would be without having died. */
static bool die_and_repeat(const Case *test, long at, const char *before, const char *after)
{
    begin(test);
    bool died = crash_run(fleet, test->words, at, NULL);
    crash_expect(truth_left_over(fleet, LEFT_OVER_MS), test->name, at);
    char *between = state_of_tenants();
    if (!test->in_steps)
        expect_all_or_nothing(between, before, after, test->name, at);
    if (test->refuses_again && strcmp(between, after) == 0)
        expect_refused(test, at);
    else
        crash_run(fleet, test->words, 0, NULL);
    char *end = state_of_tenants();
    if (strcmp(end, after) != 0)
        fail_msg("%s, point %ld: run again, it left\n%s\ninstead of\n%s", test->name, at, end, after);
    free(between);
    free(end);
    return died;
}

static void sweep(const Case *test)
{
    begin(test);
    char *before = state_of_tenants();
    long points = crash_count(fleet, test->words, test->name), deaths = 0;
    char *after = state_of_tenants();
    assert_string_not_equal(before, after);
    for (long at = 1; at <= points; at += crash_step(points, TRIES))
        deaths += die_and_repeat(test, at, before, after);
    assert_true(deaths > 0);
    free(before);
    free(after);
}

#define MIGRATE WORDS("pgconvoy", "migrate", "--all", "--json")

/* The first migration is on record, and the second was applied by hand. */
static const char FORGET_SECOND[] =
    "DO $$ DECLARE s text; BEGIN FOR s IN SELECT 'tenant_' || id FROM public.tenants LOOP"
    " EXECUTE format('DELETE FROM %I.__drizzle_migrations WHERE name = ''0002_m2''', s);"
    " END LOOP; END $$";
static const char ADD_ORPHAN[] =
    "DO $$ DECLARE s text; BEGIN FOR s IN SELECT 'tenant_' || id FROM public.tenants LOOP"
    " EXECUTE format('INSERT INTO %I.__drizzle_migrations (name) VALUES (''x_gone'')', s);"
    " END LOOP; END $$";

static void missing_rows_are_marked(void **state)
{
    (void)state;
    sweep(&(Case){.name = "sync --mark-missing",
                  .prepare = MIGRATE,
                  .sql = FORGET_SECOND,
                  .words = WORDS("pgconvoy", "sync", "--mark-missing", "--all", "--json")});
    sweep(&(Case){.name = "migrate --mark-applied",
                  .words = WORDS("pgconvoy", "migrate", "--mark-applied", "--all", "--json"),
                  .in_steps = true});
}

static void orphans_are_cleaned(void **state)
{
    (void)state;
    sweep(&(Case){.name = "sync --clean-orphans",
                  .prepare = MIGRATE,
                  .sql = ADD_ORPHAN,
                  .words = WORDS("pgconvoy", "sync", "--clean-orphans", "--all", "--json")});
}

static void a_seed_is_sown_once(void **state)
{
    (void)state;
    sweep(&(Case){.name = "seed --once",
                  .words = WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--once", "--json")});
}

static void a_table_is_converted_or_not(void **state)
{
    (void)state;
    sweep(&(Case){.name = "convert-format --to hash",
                  .prepare = MIGRATE,
                  .words = WORDS("pgconvoy", "convert-format", "--to", "hash", "--all", "--json")});
    sweep(&(Case){.name = "convert-format --to drizzle-kit",
                  .prepare = MIGRATE,
                  .words = WORDS("pgconvoy", "convert-format", "--to", "drizzle-kit", "--all", "--json")});
}

static void a_tenant_is_created_in_the_end(void **state)
{
    (void)state;
    sweep(&(Case){.name = "tenant:create",
                  .words = WORDS("pgconvoy", "tenant:create", "--id", "new", "--json"),
                  .in_steps = true});
}

static void a_tenant_is_dropped_or_not(void **state)
{
    (void)state;
    sweep(&(Case){.name = "tenant:drop",
                  .prepare = MIGRATE,
                  .words = WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force", "--json")});
}

static void a_tenant_is_cloned_or_not(void **state)
{
    (void)state;
    sweep(&(Case){.name = "tenant:clone --include-data",
                  .prepare = MIGRATE,
                  .words = WORDS("pgconvoy", "tenant:clone", "--from", "t0001", "--to", "new",
                                 "--include-data", "--json"),
                  .refuses_again = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_rows_are_marked),
        cmocka_unit_test(orphans_are_cleaned),
        cmocka_unit_test(a_seed_is_sown_once),
        cmocka_unit_test(a_table_is_converted_or_not),
        cmocka_unit_test(a_tenant_is_created_in_the_end),
        cmocka_unit_test(a_tenant_is_dropped_or_not),
        cmocka_unit_test(a_tenant_is_cloned_or_not),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
