#include "common/buffer.h"
#include "tests/support/test.h"
#include "worker/ops/migration_script.h"

static MigrationScript read_script(const char *text)
{
    Migration migration = {.name = (char *)"0001_x", .sql = {(char *)text, strlen(text)}};
    MigrationScript script = {0};
    Error error = {0};
    assert_true(migration_script_read(&migration, &script, &error));
    return script;
}

/* A script as text: settings, then pieces, each in [] with * when it holds several statements, ! when one is
 * COMMIT or the like, > when one may be SELECT INTO. */
static char *describe(const char *text)
{
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = read_script(text);
    Buffer out = {0};
    for (size_t i = 0; i < script.settings.count; i++) {
        const ScriptPiece *setting = &script.settings.items[i];
        buffer_appendf(&out, "{%.*s}", (int)setting->length, script.original + setting->start);
    }
    for (size_t i = 0; i < script.pieces.count; i++) {
        const ScriptPiece *piece = &script.pieces.items[i];
        buffer_appendf(&out, "[%.*s]%s%s", (int)piece->length, script.text + piece->start,
                       piece->several ? "*" : "", piece->transaction ? "!" : "");
        if (piece->into)
            buffer_append_char(&out, '>');
    }
    return buffer_take(&out);
}

static void check(const char *text, const char *expected)
{
    char *found = describe(text);
    assert_string_equal(found, expected);
    free(found);
}

static void cuts_statements_where_the_parser_does(void **state)
{
    (void)state;
    check("", "");
    check("-- only a comment", "");
    check(";;;", "");
    check("SELECT 1; SELECT 2", "[SELECT 1][SELECT 2]");
    check("/* a; */ SELECT ';' ; -- b;\nSELECT $x$;$x$;\n", "[SELECT ';' ][SELECT $x$;$x$]");
    check("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
          "[CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END][SELECT 3]");
    check("\xEF\xBB\xBFSELECT 1;", "[SELECT 1]");
    check("SELECT 1\r\n;\r\nSELECT 2;\r\n", "[SELECT 1\r\n][SELECT 2]");
}

static void leaves_what_it_cannot_parse_to_the_server(void **state)
{
    (void)state;
    check("SELECT 1; SELEKT 2;", "[SELECT 1; SELEKT 2;]*");
    check("SELEKT 'a;b';", "[SELEKT 'a;b';]");
    check("SELEKT 1; /* x; */ COMMIT", "[SELEKT 1; /* x; */ COMMIT]*!");
    check("SELECT 'open", "[SELECT 'open]");
}

static void sees_what_may_be_select_into(void **state)
{
    (void)state;
    check("SELECT 1 INTO a", "[SELECT 1 INTO a]>");
    check("WITH x AS (SELECT 1) SELECT * INTO a FROM x", "[WITH x AS (SELECT 1) SELECT * INTO a FROM x]>");
    check("SELECT 'INTO' AS \"into\"", "[SELECT 'INTO' AS \"into\"]");
    check("INSERT INTO a SELECT 1; SELECT 2", "[INSERT INTO a SELECT 1][SELECT 2]");
    check("SELEKT 1; SELECT 1 INTO a; -- x", "[SELEKT 1; SELECT 1 INTO a; -- x]*>");
}

static void breakpoints_separate_statements_without_semicolons(void **state)
{
    (void)state;
    check("CREATE TABLE a (x int)\n--> statement-breakpoint\nCREATE TABLE b (x int)",
          "[CREATE TABLE a (x int)\n][CREATE TABLE b (x int)]");
    check("CREATE TABLE a (x int);--> statement-breakpoint\nCREATE TABLE b (x int);",
          "[CREATE TABLE a (x int)][CREATE TABLE b (x int)]");
    check("SELECT 1\n--> statement-breakpoint\nSELEKT 2\n--> statement-breakpoint\n\n-- end",
          "[SELECT 1\n][SELEKT 2\n]");
    check("SELECT '\n--> statement-breakpoint\n', $$\n--> statement-breakpoint\n$$ SELEKT",
          "[SELECT '\n--> statement-breakpoint\n', $$\n--> statement-breakpoint\n$$ SELEKT]");
}

static void takes_a_transaction_around_the_file_off(void **state)
{
    (void)state;
    check("BEGIN; SELECT 1; COMMIT;", "[SELECT 1]");
    check("-- x\nbegin transaction isolation level serializable, read write;\nSELECT 1;\nend work\n-- y",
          "[SELECT 1]");
    check("START TRANSACTION; SELECT 1; COMMIT", "[SELECT 1]");
    check("BEGIN; SELEKT 1; COMMIT;", "[SELEKT 1;        ]");
    check("BEGIN; SELECT 1; COMMIT; SELECT 2;", "[BEGIN]![SELECT 1][COMMIT]![SELECT 2]");
    check("BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;", "[SELECT 1][COMMIT]![BEGIN]![SELECT 2]");
    check("BEGIN; SELECT 1; COMMIT AND CHAIN;", "[BEGIN]![SELECT 1][COMMIT AND CHAIN]!");
    check("SELECT 1; COMMIT;", "[SELECT 1][COMMIT]!");
    check("BEGIN; CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;",
          "[BEGIN]![CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END]");
    check("ROLLBACK; SAVEPOINT a; RELEASE a; ABORT; PREPARE TRANSACTION 'x'; PREPARE p AS SELECT 1",
          "[ROLLBACK]![SAVEPOINT a]![RELEASE a]![ABORT]![PREPARE TRANSACTION 'x']![PREPARE p AS SELECT 1]");
}

static void takes_timeouts_at_the_head_out(void **state)
{
    (void)state;
    check("SET statement_timeout = '5s'; SELECT 1;", "{SET statement_timeout = '5s'}[SELECT 1]");
    check("set local Lock_Timeout to 5 -- why\n; SELECT 1", "{set local Lock_Timeout to 5 -- why}[SELECT 1]");
    check("SET client_encoding = 'UTF8';\nSET SESSION lock_timeout = DEFAULT;\nSELECT 1;",
          "{SET SESSION lock_timeout = DEFAULT}[SET client_encoding = 'UTF8'][SELECT 1]");
    check("SELECT pg_catalog.set_config('search_path', '', false); SELECT "
          "set_config('lock_timeout','1s',true);",
          "{SELECT set_config('lock_timeout','1s',true)}"
          "[SELECT pg_catalog.set_config('search_path', '', false)]");
    check("BEGIN; SET lock_timeout = 7; SELECT 1; COMMIT", "{SET lock_timeout = 7}[SELECT 1]");
    check("SET lock_timeout = 7", "{SET lock_timeout = 7}");
    check("SELECT 1; SET lock_timeout = 7;", "[SELECT 1][SET lock_timeout = 7]");
    check("SELECT 1, set_config('lock_timeout','1s',true); SET lock_timeout = 7;",
          "[SELECT 1, set_config('lock_timeout','1s',true)][SET lock_timeout = 7]");
    check("SET lock_timeout = 7; SELEKT 1", "{SET lock_timeout = 7}[SELEKT 1]");
    check("SET lock_timeout = 7 COMMIT; SELECT 1", "[SET lock_timeout = 7 COMMIT; SELECT 1]*");
    check("SET lock_timeout = a\\b; SELECT 1", "[SET lock_timeout = a\\b; SELECT 1]*");
    check("SET lock_timeout = '7\\'; SELECT 1", "[SET lock_timeout = '7\\'][SELECT 1]");
    check("SELECT set_config('lock_timeout', '1s', f()); SELECT 1",
          "[SELECT set_config('lock_timeout', '1s', f())][SELECT 1]");
}

static void sees_a_directive_at_the_head_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t line;
    } CASES[] = {
        {"-- pgconvoy:transaction off\nSELECT 1", 1},
        {"\n/* x */\n--  pgconvoy:transaction   off \nVACUUM", 3},
        {"-- +goose NO TRANSACTION\n", 1},
        {"-- migrate:up transaction:false\n", 1},
        {"-- atlas:txmode none\r\nSELECT 1", 1},
        {"SELECT 1; -- pgconvoy:transaction off", 0},
        {"-- pgconvoy:transaction offer\n", 0},
        {"-- about pgconvoy:transaction off\n", 0},
        {"'-- pgconvoy:transaction off'", 0},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        MigrationScript script MIGRATION_SCRIPT_CLEANUP = read_script(CASES[i].text);
        assert_int_equal(script.no_transaction_line, CASES[i].line);
    }
}

static void counts_lines_and_columns_in_characters(void **state)
{
    (void)state;
    const char *text = "a\r\n\xC3\xA4\xE2\x82\xAC"
                       "b\n";
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = read_script(text);
    assert_int_equal(migration_script_line(&script, 0), 1);
    assert_int_equal(migration_script_line(&script, 8), 2);
    assert_int_equal(migration_script_column(&script, 8), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_statements_where_the_parser_does),
        cmocka_unit_test(leaves_what_it_cannot_parse_to_the_server),
        cmocka_unit_test(sees_what_may_be_select_into),
        cmocka_unit_test(breakpoints_separate_statements_without_semicolons),
        cmocka_unit_test(takes_a_transaction_around_the_file_off),
        cmocka_unit_test(takes_timeouts_at_the_head_out),
        cmocka_unit_test(sees_a_directive_at_the_head_only),
        cmocka_unit_test(counts_lines_and_columns_in_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
