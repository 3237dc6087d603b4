/* parse: files that the tenants' own server refuses, with line and column, and nothing of them run. */
#include "tests/integration/op_support.h"

static Cluster *cluster;
static OpFixture fixture;

static Outcome parse(ParseResult *result)
{
    Outcome outcome = OUTCOME_COUNT;
    OpTenant nobody = {.id = "", .schema = "", .attempt = 1};
    *result = (ParseResult){0};
    op_parse(&fixture.context, &nobody, 1, result, &outcome);
    return outcome;
}

static const ParseFailure *failure_at(const ParseResult *result, size_t at)
{
    assert_true(at < result->failures.count);
    return (const ParseFailure *)result->failures.items + at;
}

static void good_files_pass_and_nothing_runs(void **state)
{
    (void)state;
    bundle_clear(&fixture.bundle);
    add_migration(&fixture, "1_table", "CREATE TABLE made (n int);\nINSERT INTO made VALUES (1);");
    add_migration(&fixture, "2_empty", "");
    add_migration(&fixture, "3_comment", "-- nothing\n/* at all */;;");
    add_migration(&fixture, "4_open_comment", "SELECT 1 -- no newline");
    add_migration(&fixture, "5_commit", "COMMIT; CREATE TABLE made (n int); COMMIT");
    add_migration(&fixture, "6_unknown_names", "SELECT * FROM nowhere; SELECT nothing()");
    add_migration(&fixture, "7_bom",
                  "\xEF\xBB\xBF"
                  "CREATE TABLE made (n int)");
    add_migration(&fixture, "8_body",
                  "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;");
    add_migration(&fixture, "9_concurrently", "CREATE INDEX CONCURRENTLY i ON t (n)");
    ParseResult result;
    assert_int_equal(parse(&result), OUTCOME_ALREADY);
    assert_null(result.error);
    assert_int_equal(result.failures.count, 0);
    PGconn *connection = cluster_connect(cluster, "postgres");
    assert_int_equal(sql_number(connection, "SELECT count(*) FROM pg_class WHERE relname = 'made'"), 0);
    char *version = sql_text(connection, "SELECT split_part(current_setting('server_version'), ' ', 1)");
    assert_string_equal(result.server_version, version);
    free(version);
    PQfinish(connection);
    record_clear(&PARSE_RESULT, &result);
}

static void assert_bad(const char *sql, int64_t line, int64_t column, const char *message, const char *hint)
{
    bundle_clear(&fixture.bundle);
    add_migration(&fixture, "1_good", "SELECT 1");
    add_migration(&fixture, "2_bad", sql);
    add_migration(&fixture, "3_good", "SELECT 1");
    ParseResult result;
    assert_int_equal(parse(&result), OUTCOME_ALREADY);
    assert_int_equal(result.failures.count, 1);
    const ParseFailure *failure = failure_at(&result, 0);
    assert_string_equal(failure->migration, "2_bad");
    assert_string_equal(failure->error, message);
    assert_int_equal(failure->line, line);
    assert_int_equal(failure->column, column);
    assert_string_equal(failure->sqlstate, "42601");
    if (hint == NULL ? failure->hint != NULL : failure->hint == NULL || strstr(failure->hint, hint) == NULL)
        fail_msg("hint: %s", failure->hint);
    record_clear(&PARSE_RESULT, &result);
}

static void bad_files_are_named_with_line_and_column(void **state)
{
    (void)state;
    assert_bad("SELEC 1", 1, 1, "syntax error at or near \"SELEC\"", NULL);
    assert_bad("SELECT 1;\n\n  SELEC 2;\n", 3, 3, "syntax error at or near \"SELEC\"", NULL);
    assert_bad("SELECT 'ä€😀';\r\nSELECT 'ä€😀' SELEC x y;", 2, 20, "syntax error at or near \"x\"", NULL);
    assert_bad("\xEF\xBB\xBFSELEC 1", 1, 1, "syntax error at or near \"SELEC\"", NULL);
    assert_bad("CREATE TABLE t (\n  n int,\n", 3, 1, "syntax error at end of input", NULL);
    assert_bad("SELECT 1;\nSELECT 'open", 2, 8, "unterminated quoted string at or near \"'open\"", NULL);
    assert_bad("DROP TABLE kept; COMMIT; SELEC 1", 1, 26, "syntax error at or near \"SELEC\"", NULL);
}

static void psql_habits_get_a_hint(void **state)
{
    (void)state;
    assert_bad("\\connect other\nSELECT 1", 1, 1, "syntax error at or near \"\\\"", "psql commands");
    assert_bad("SELECT 1;\n  \\restrict x\n", 2, 3, "syntax error at or near \"\\\"", "psql commands");
    assert_bad("COPY t FROM stdin;\n1\ta\n\\.\n", 2, 1, "syntax error at or near \"1\"", "use INSERT");
}

static void several_bad_files_keep_their_order(void **state)
{
    (void)state;
    bundle_clear(&fixture.bundle);
    add_migration(&fixture, "1_bad", "SELEC 1");
    add_migration(&fixture, "2_good", "SELECT 1");
    add_migration(&fixture, "3_bad", "ALTER TABL t");
    ParseResult result;
    assert_int_equal(parse(&result), OUTCOME_ALREADY);
    assert_int_equal(result.failures.count, 2);
    assert_string_equal(failure_at(&result, 0)->migration, "1_bad");
    assert_string_equal(failure_at(&result, 1)->migration, "3_bad");
    record_clear(&PARSE_RESULT, &result);
}

static void cancellation_ends_it(void **state)
{
    (void)state;
    bundle_clear(&fixture.bundle);
    add_migration(&fixture, "1_good", "SELECT 1");
    atomic_store(&fixture.cancelled, true);
    ParseResult result;
    assert_int_equal(parse(&result), OUTCOME_CANCELLED);
    atomic_store(&fixture.cancelled, false);
    assert_non_null(result.error);
    record_clear(&PARSE_RESULT, &result);
}

static void role_of(OpFixture *other, const char *role, const char *database)
{
    char url[160];
    snprintf(url, sizeof url, "postgresql://%s@127.0.0.1:%d/%s", role, cluster->port, database);
    fixture_start(other, strdup(url), 1);
    add_migration(other, "1_good", "CREATE TABLE made (n int)");
    add_migration(other, "2_bad", "SELECT \xC3\xA4 SELEC 1");
}

static void role_without_plpgsql_is_told_before_any_tenant(void **state)
{
    (void)state;
    OpFixture other;
    role_of(&other, "narrow", "narrow");
    OpTenant nobody = {.id = "", .schema = "", .attempt = 1};
    Outcome outcome;
    ParseResult result = {0};
    op_parse(&other.context, &nobody, 1, &result, &outcome);
    assert_int_equal(outcome, OUTCOME_ERROR);
    assert_int_equal(result.failures.count, 0);
    assert_non_null(strstr(result.error, "role \"narrow\" may not use the language plpgsql"));
    assert_non_null(strstr(result.hint, "GRANT USAGE ON LANGUAGE plpgsql"));
    record_clear(&PARSE_RESULT, &result);
    fixture_stop(&other);
}

static void read_only_role_and_single_byte_database_are_fine(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"reader", "postgres"}, {"postgres", "ascii"}, {"postgres", "latin"}};
    for (size_t i = 0; i < 3; i++) {
        OpFixture other;
        role_of(&other, CASES[i][0], CASES[i][1]);
        OpTenant nobody = {.id = "", .schema = "", .attempt = 1};
        Outcome outcome;
        ParseResult result = {0};
        op_parse(&other.context, &nobody, 1, &result, &outcome);
        assert_int_equal(outcome, OUTCOME_ALREADY);
        assert_int_equal(result.failures.count, 1);
        assert_int_equal(failure_at(&result, 0)->column, 16);
        record_clear(&PARSE_RESULT, &result);
        fixture_stop(&other);
    }
}

static void unreachable_server_is_the_results_error(void **state)
{
    (void)state;
    OpFixture other;
    fixture_start(&other, strdup("postgresql://u:s3cret@127.0.0.1:1/x"), 1);
    other.options.retry_max_attempts = 2;
    other.options.retry_initial_delay_ms = 1;
    OpTenant nobody = {.id = "", .schema = "", .attempt = 1};
    Outcome outcome;
    ParseResult result = {0};
    op_parse(&other.context, &nobody, 1, &result, &outcome);
    assert_int_equal(outcome, OUTCOME_ERROR);
    assert_string_equal(result.error, "cannot connect to database \"main\" at 127.0.0.1:1/x");
    assert_non_null(strstr(result.detail, "Connection refused"));
    record_clear(&PARSE_RESULT, &result);
    fixture_stop(&other);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    cluster_start_bouncer(cluster, 2);
    PGconn *connection = cluster_connect(cluster, "postgres");
    sql_run(connection, "CREATE TABLE kept (n int)");
    sql_run(connection, "CREATE ROLE narrow LOGIN; CREATE ROLE reader LOGIN;"
                        "ALTER ROLE reader SET default_transaction_read_only = on");
    sql_run(connection, "CREATE DATABASE narrow");
    sql_run(connection, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0");
    sql_run(connection,
            "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    PGconn *narrow = cluster_connect(cluster, "narrow");
    sql_run(narrow, "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC");
    PQfinish(narrow);
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
    PGconn *connection = cluster_connect(cluster, "postgres");
    assert_int_equal(sql_number(connection, "SELECT count(*) FROM pg_class WHERE relname = 'kept'"), 1);
    PQfinish(connection);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_pass_and_nothing_runs),
        cmocka_unit_test(bad_files_are_named_with_line_and_column),
        cmocka_unit_test(psql_habits_get_a_hint),
        cmocka_unit_test(several_bad_files_keep_their_order),
        cmocka_unit_test(cancellation_ends_it),
        cmocka_unit_test(role_without_plpgsql_is_told_before_any_tenant),
        cmocka_unit_test(read_only_role_and_single_byte_database_are_fine),
        cmocka_unit_test(unreachable_server_is_the_results_error),
    };
    int failed = cmocka_run_group_tests_name("directly", tests, start_direct, stop);
    return failed + cmocka_run_group_tests_name("through a bouncer", tests, start_pooled, stop);
}
