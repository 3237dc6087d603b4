#include "tests/support/test.h"
#include "worker/ops/migration_block.h"
#include "worker/ops/sql_token.h"

static void the_tag_never_occurs_in_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *quoted;
    } CASES[] = {
        {"", "$pgc0$$pgc0$"},
        {"a", "$pgc0$a$pgc0$"},
        {"a$", "$pgc0$a$$pgc0$"},
        {"a$pgc", "$pgc0$a$pgc$pgc0$"},
        {"a$pgc0", "$pgc1$a$pgc0$pgc1$"},
        {"$pgc0$a$pgc0$", "$pgc1$$pgc0$a$pgc0$$pgc1$"},
        {"$pgc7$ $pgc3$ $pgcx", "$pgc8$$pgc7$ $pgc3$ $pgcx$pgc8$"},
        {"$pgc12345678901$", "$pgc0$$pgc12345678901$$pgc0$"},
        {"$pgc999999999", "$pgc1000000000$$pgc999999999$pgc1000000000$"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        BUFFER_CLEANUP Buffer out = {0};
        buffer_append_text(&out, "x ");
        size_t at = block_append_dollar_quoted(&out, CASES[i].text, strlen(CASES[i].text), "");
        assert_string_equal(buffer_text(&out) + 2, CASES[i].quoted);
        assert_memory_equal(out.data + at, CASES[i].text, strlen(CASES[i].text));
        SqlToken token = sql_token_at(out.data, out.length, 2);
        assert_int_equal(token.kind, SQL_STRING);
        assert_int_equal(token.length, out.length - 2);
    }
}

static void every_outcome_has_its_word(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"done", "absent", "present", "stale", "busy", "no_schema", "changed"};
    BlockOutcome outcome;
    for (int i = 0; i < BLOCK_OUTCOME_COUNT; i++) {
        assert_true(block_outcome_from_word(WORDS[i], &outcome));
        assert_int_equal(outcome, i);
    }
    assert_false(block_outcome_from_word("", &outcome));
}

static MigrationBlock build(BlockMode mode, bool create, const Migration *migration, MigrationScript *script)
{
    Error error = {0};
    MigrationBlock block = {0};
    assert_true(migration_script_read(migration, script, &error));
    BlockRequest request = {.mode = mode,
                            .schema = "we\"ird'$pgc0$",
                            .table = "t",
                            .tracking = {.format = TRACKING_NAME, .time_column = "applied_at"},
                            .create = create,
                            .migration = migration,
                            .ordinal = 1,
                            .script = script,
                            .lock_timeout_ms = 4000,
                            .server_version = 150000};
    assert_true(migration_block_build(&request, &block, &error));
    return block;
}

/* Where a text stands in another; it must. */
static const char *after(const char *text, const char *part)
{
    const char *found = strstr(text, part);
    if (found == NULL)
        fail_msg("\"%s\" is missing", part);
    return found;
}

static void expect_order(const char *sql, const char *const order[])
{
    for (; *order != NULL; order++)
        sql = after(sql, *order) + 1;
}

static void expect_offsets(const MigrationBlock *block, const MigrationScript *script)
{
    for (size_t i = 0; i < script->pieces.count; i++)
        assert_memory_equal(block->sql + block->piece_offsets[i],
                            script->text + script->pieces.items[i].start, script->pieces.items[i].length);
}

static void a_block_locks_looks_applies_records_and_cleans_up_in_this_order(void **state)
{
    (void)state;
    const char *sql = "SET lock_timeout = 1;\nSELECT 1 INTO b;\nCREATE TABLE a (x int);\n";
    Migration migration = {
        .name = (char *)"0001_x", .hash = (char *)"abc", .sql = {(char *)sql, strlen(sql)}};
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = build(BLOCK_APPLY, false, &migration, &script);
    static const char *const ORDER[] = {"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;",
                                        "SET LOCAL search_path TO \"we\"\"ird'$pgc0$\", public;",
                                        "\nSET lock_timeout = 1\n;",
                                        "\nDO $pgc",
                                        "pg_try_advisory_xact_lock(",
                                        "current_schema()",
                                        "WHERE name = '0001_x'",
                                        "EXECUTE $pgc0$SELECT 1 INTO b\n;SELECT$pgc0$;",
                                        "EXECUTE $pgc0$CREATE TABLE a (x int)$pgc0$;",
                                        "SET CONSTRAINTS ALL IMMEDIATE;",
                                        "SET LOCAL SESSION AUTHORIZATION DEFAULT;",
                                        "SET LOCAL role TO DEFAULT;",
                                        "SET LOCAL search_path TO \"we\"\"ird'$pgc0$\", public;",
                                        "INSERT INTO \"we\"\"ird'$pgc0$\".\"t\"",
                                        "'done'",
                                        "\nSELECT pg_catalog.current_setting('pgconvoy.outcome');\nCOMMIT;\n",
                                        "SET SESSION AUTHORIZATION DEFAULT; RESET ALL;"};
    const char *at = block.sql;
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++)
        at = after(at, ORDER[i]) + 1;
    assert_int_equal(block.lead, 8);
    assert_int_equal(block.settings, 1);
    assert_int_equal(block.unit_count, 2);
    expect_offsets(&block, &script);
}

static void a_plain_script_stands_between_lock_look_and_row_as_it_is(void **state)
{
    (void)state;
    const char *sql = "-- why\nCREATE TABLE a (x int);\n/* and */ INSERT INTO a VALUES (1) -- one\n;";
    Migration migration = {
        .name = (char *)"0001_x", .hash = (char *)"abc", .sql = {(char *)sql, strlen(sql)}};
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0}, again MIGRATION_SCRIPT_CLEANUP = {0};
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = build(BLOCK_PLAIN, false, &migration, &script);
    expect_order(block.sql,
                 (const char *const[]){
                     "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;",
                     "SET LOCAL search_path TO \"we\"\"ird'$pgc0$\", public;",
                     "SET LOCAL lock_timeout TO 4000;", "SET LOCAL standard_conforming_strings TO on;",
                     "\nSELECT (CASE WHEN pg_catalog.pg_try_advisory_xact_lock(",
                     ";\nSELECT (CASE WHEN pg_catalog.current_schema() = ", " AND NOT ",
                     "FROM \"we\"\"ird'$pgc0$\".\"t\"", "name = '0001_x'",
                     ";\nCREATE TABLE a (x int)\n;\nINSERT INTO a VALUES (1) -- one\n\n;\n",
                     "SET CONSTRAINTS ALL IMMEDIATE;", "SET LOCAL SESSION AUTHORIZATION DEFAULT;",
                     "SET LOCAL role TO DEFAULT;", "SET LOCAL search_path TO \"we\"\"ird'$pgc0$\", public;",
                     "INSERT INTO \"we\"\"ird'$pgc0$\".\"t\"", ";\nCOMMIT;\n", "RESET ALL", NULL});
    assert_null(strstr(block.sql, "DO $"));
    assert_null(strstr(block.sql, "EXECUTE"));
    assert_int_equal(block.lead, 9);
    assert_int_equal(block.settings, 0);
    expect_offsets(&block, &script);
    MigrationBlock first MIGRATION_BLOCK_CLEANUP = build(BLOCK_PLAIN, true, &migration, &again);
    expect_order(first.sql,
                 (const char *const[]){"pg_try_advisory_xact_lock(", "current_schema() = ", "to_regclass(",
                                       "CREATE TABLE IF NOT EXISTS \"we\"\"ird'$pgc0$\".\"t\"",
                                       ";\nCREATE TABLE a (x int)", "INSERT INTO \"we\"\"ird'$pgc0$\".\"t\"",
                                       "\nCOMMIT;\n", NULL});
    assert_int_equal(first.lead, 10);
    expect_offsets(&first, &again);
}

/* By `lead` an answer is understood: it must be the number of statements before the script. */
static void lead_counts_what_stands_before_the_script(void **state)
{
    (void)state;
    Migration migration = {.name = (char *)"0001_x",
                           .hash = (char *)"abc",
                           .sql = {(char *)"DELETE FROM a", sizeof "DELETE FROM a" - 1}};
    for (int create = 0; create < 2; create++) {
        MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
        MigrationBlock block MIGRATION_BLOCK_CLEANUP = build(BLOCK_PLAIN, create, &migration, &script);
        size_t end = block.piece_offsets[0], statements = 0;
        for (SqlToken token = {0};
             (token = sql_token_next(block.sql, end, token.start + token.length)).kind != SQL_END;)
            statements += sql_token_is(block.sql, token, ";");
        assert_int_equal(statements, block.lead);
    }
}

static void a_probe_writes_nothing_and_a_record_runs_nothing(void **state)
{
    (void)state;
    Migration migration = {.name = (char *)"0001_x", .hash = (char *)"abc", .sql = {(char *)"SELECT 1", 8}};
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0}, again MIGRATION_SCRIPT_CLEANUP = {0};
    MigrationBlock probe MIGRATION_BLOCK_CLEANUP = build(BLOCK_PROBE, true, &migration, &script);
    assert_null(strstr(probe.sql, "CREATE TABLE"));
    assert_null(strstr(probe.sql, "INSERT"));
    assert_null(strstr(probe.sql, "EXECUTE"));
    MigrationBlock record MIGRATION_BLOCK_CLEANUP = build(BLOCK_RECORD, true, &migration, &again);
    assert_null(strstr(record.sql, "EXECUTE"));
    after(after(record.sql, "CREATE TABLE"), "INSERT");
}

static MigrationBlock build_seed(BlockMode mode, const StateRow *state, MigrationScript *script)
{
    static const char SQL[] = "SET lock_timeout = 1;\nSELECT 1;\n";
    static Migration seed = {
        .name = (char *)"x", .hash = (char *)"abc", .sql = {(char *)SQL, sizeof SQL - 1}};
    Error error = {0};
    MigrationBlock block = {0};
    assert_true(migration_script_read(&seed, script, &error));
    BlockRequest request = {.mode = mode,
                            .schema = "we\"ird",
                            .script = script,
                            .state = state,
                            .xid = "4711",
                            .server_version = 150000};
    assert_true(migration_block_build(&request, &block, &error));
    return block;
}

static void a_seed_continues_the_transaction_that_was_opened(void **state)
{
    (void)state;
    const StateRow row = {"seed", "it's", "abc"};
    MigrationScript scripts[4] = {0};
    MigrationBlock open MIGRATION_BLOCK_CLEANUP = build_seed(BLOCK_OPEN, &row, &scripts[0]);
    expect_order(open.sql,
                 (const char *const[]){"BEGIN ISOLATION LEVEL", "SET LOCAL search_path TO ", "\nDO $pgc",
                                       "pg_try_advisory_xact_lock(", "current_schema()",
                                       "to_regclass('\"we\"\"ird\".\"__pgconvoy_state\"')",
                                       "name = 'it''s' AND digest = 'abc'", "'present'", "'changed'",
                                       "'done'", "pg_current_xact_id()", "pg_postmaster_start_time()", NULL});
    assert_null(strstr(open.sql, "EXECUTE"));
    assert_null(strstr(open.sql, "COMMIT;"));
    MigrationBlock unrecorded MIGRATION_BLOCK_CLEANUP = build_seed(BLOCK_OPEN, NULL, &scripts[1]);
    assert_null(strstr(unrecorded.sql, STATE_TABLE));
    MigrationBlock plain MIGRATION_BLOCK_CLEANUP = build_seed(BLOCK_SEED, NULL, &scripts[2]);
    assert_null(strstr(plain.sql, "BEGIN ISOLATION LEVEL"));
    assert_null(strstr(plain.sql, STATE_TABLE));
    assert_int_equal(plain.lead, 1);
    MigrationBlock once MIGRATION_BLOCK_CLEANUP = build_seed(BLOCK_SEED, &row, &scripts[3]);
    expect_order(once.sql,
                 (const char *const[]){"SET lock_timeout = 1\n;", "\nDO $pgc", "pg_try_advisory_xact_lock(",
                                       "current_schema()", "EXECUTE $pgc0$SELECT 1$pgc0$;",
                                       "SET LOCAL role TO DEFAULT;", "CREATE TABLE", "INSERT INTO",
                                       "\nCOMMIT;\n", NULL});
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        migration_script_clear(&scripts[i]);
}

static void closing_looks_for_the_transaction_first(void **state)
{
    (void)state;
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = build_seed(BLOCK_CLOSE, NULL, &script);
    expect_order(block.sql, (const char *const[]){"DO $pgc", "IS DISTINCT FROM '4711'::pg_catalog.xid8",
                                                  "'done'", "\nCOMMIT;\n", "RESET ALL", NULL});
    assert_null(strstr(block.sql, "BEGIN ISOLATION LEVEL"));
    assert_int_equal(block.lead, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tag_never_occurs_in_the_text),
        cmocka_unit_test(every_outcome_has_its_word),
        cmocka_unit_test(a_block_locks_looks_applies_records_and_cleans_up_in_this_order),
        cmocka_unit_test(a_plain_script_stands_between_lock_look_and_row_as_it_is),
        cmocka_unit_test(lead_counts_what_stands_before_the_script),
        cmocka_unit_test(a_probe_writes_nothing_and_a_record_runs_nothing),
        cmocka_unit_test(a_seed_continues_the_transaction_that_was_opened),
        cmocka_unit_test(closing_looks_for_the_transaction_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
