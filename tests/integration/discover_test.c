/* discover: tenants by query and by schema names. */
#include "common/tenant.h"
#include "tests/integration/op_support.h"

static Cluster *cluster;
static OpFixture fixture;

static Outcome discover(const char *query, const char *template, DiscoverResult *result)
{
    Outcome outcome = OUTCOME_COUNT;
    OpTenant nobody = {.id = "", .schema = "", .attempt = 1};
    *result = (DiscoverResult){0};
    fixture.options.discover_query = (char *)query;
    fixture.options.schema_template = (char *)template;
    op_discover(&fixture.context, &nobody, 1, result, &outcome);
    assert_int_equal(reservoir_counts(fixture.context.reservoir).open,
                     reservoir_counts(fixture.context.reservoir).idle);
    return outcome;
}

/* "id id ..." */
static void assert_found(const char *query, const char *template, const char *expected)
{
    DiscoverResult result;
    Outcome outcome = discover(query, template, &result);
    if (outcome != OUTCOME_ALREADY)
        fail_msg("%s", result.error);
    char text[1024] = "";
    for (size_t i = 0; i < result.ids.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                 result.ids.items[i]);
    assert_string_equal(text, expected);
    record_clear(&DISCOVER_RESULT, &result);
}

static void assert_refused(const char *query, const char *template, const char *sqlstate, const char *message)
{
    DiscoverResult result;
    assert_int_equal(discover(query, template, &result), OUTCOME_ERROR);
    if (result.error == NULL || strstr(result.error, message) == NULL)
        fail_msg("%s", result.error);
    assert_string_equal(result.sqlstate != NULL ? result.sqlstate : "", sqlstate);
    assert_int_equal(result.ids.count, 0);
    record_clear(&DISCOVER_RESULT, &result);
}

static void query_gives_ids_in_its_order(void **state)
{
    (void)state;
    assert_found("SELECT id, 'more' FROM (VALUES (3), (1), (2)) v(id);", "tenant_{id}", "3 1 2");
    assert_found("SELECT 'a' WHERE false", NULL, "");
}

static void schemas_give_ids_that_fit_the_template(void **state)
{
    (void)state;
    assert_found(NULL, "tenant_{id}", "a b c");
    assert_found("", "{id}_a", "tenant");
    assert_found(NULL, "ten%_{id}", "");
    assert_found(NULL, "pg_{id}", "");
    assert_found(NULL, "p{id}c", "");
}

static void rows_without_an_id_are_named(void **state)
{
    (void)state;
    assert_refused("SELECT id FROM (VALUES ('a'), (NULL)) v(id)", NULL, "",
                   "row 2 of the discovery query has a NULL");
    assert_refused("SELECT id FROM (VALUES ('a'), ('b'), ('')) v(id)", NULL, "", "row 3");
    assert_refused("SELECT E'a\\tb'", NULL, "", "row 1 of the discovery query: tenant id");
}

static void only_one_reading_statement_is_possible(void **state)
{
    (void)state;
    assert_refused("SELECT 'a'; DROP SCHEMA tenant_a", NULL, "42601", "multiple commands");
    assert_refused("DROP SCHEMA tenant_a", NULL, "25006", "read-only transaction");
    assert_refused("SELECT nextval('public.numbers')", NULL, "25006", "read-only transaction");
    assert_refused("COMMIT", NULL, "", "gives no column");
    assert_refused("SELECT", NULL, "", "gives no column");
    assert_refused(" ", NULL, "", "gives no column");
    assert_refused("COPY numbers TO STDOUT", NULL, "42809", "cannot copy");
    assert_refused("SELECT nothing FROM nowhere", NULL, "42P01", "relation \"nowhere\" does not exist");
    assert_refused(NULL, "tenant", "", "schema template \"tenant\"");
}

static void sessions_are_left_clean(void **state)
{
    (void)state;
    assert_found("SELECT set_config('search_path', 'tenant_a', false)", NULL, "tenant_a");
    assert_found("SELECT pg_advisory_lock(5)::text || 'x'", NULL, "x");
    assert_found("SELECT current_setting('search_path') || (SELECT count(*) FROM pg_locks WHERE locktype = "
                 "'advisory')",
                 NULL, "\"$user\", public0");
}

static void locks_end_the_wait(void **state)
{
    (void)state;
    PGconn *other = cluster_connect(cluster, "postgres");
    sql_run(other, "BEGIN; LOCK public.listed");
    fixture.options.set_lock_timeout_ms = 50;
    assert_refused("SELECT id FROM listed", NULL, "55P03", "lock timeout");
    fixture.options.set_lock_timeout_ms = 0;
    PQfinish(other);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    cluster_start_bouncer(cluster, 2);
    PGconn *connection = cluster_connect(cluster, "postgres");
    sql_run(connection, "CREATE SCHEMA tenant_a; CREATE SCHEMA \"tenant_b c\"; CREATE SCHEMA tenant_;"
                        "CREATE SEQUENCE numbers; CREATE TABLE "
                        "listed (id int); CREATE SCHEMA other");
    PQfinish(connection);
    return 0;
}

static int start_direct(void **state)
{
    start(state);
    fixture_start(&fixture, cluster_url(cluster, "postgres"), 2);
    return 0;
}

static int start_pooled(void **state)
{
    start(state);
    fixture_start(&fixture, cluster_bouncer_url(cluster, "postgres"), 2);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop(&fixture);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_gives_ids_in_its_order),
        cmocka_unit_test(schemas_give_ids_that_fit_the_template),
        cmocka_unit_test(rows_without_an_id_are_named),
        cmocka_unit_test(only_one_reading_statement_is_possible),
        cmocka_unit_test(sessions_are_left_clean),
        cmocka_unit_test(locks_end_the_wait),
    };
    int failed = cmocka_run_group_tests_name("directly", tests, start_direct, stop);
    return failed + cmocka_run_group_tests_name("through a bouncer", tests, start_pooled, stop);
}
