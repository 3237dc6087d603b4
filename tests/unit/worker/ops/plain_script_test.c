#include "common/buffer.h"
#include "tests/support/test.h"
#include "worker/ops/plain_script.h"

static bool is_plain(const char *text)
{
    Migration migration = {.name = (char *)"0001_x", .sql = {(char *)text, strlen(text)}};
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
    Error error = {0};
    assert_true(migration_script_read(&migration, &script, &error));
    assert_int_equal(script_is_plain(&script), script.plain);
    return script.plain;
}

static void expect_each(const char *const texts[], bool plain)
{
    for (; *texts != NULL; texts++)
        if (is_plain(*texts) != plain)
            fail_msg("should%s be plain: %s", plain ? "" : " not", *texts);
}

#define PLAIN(...) expect_each((const char *const[]){__VA_ARGS__, NULL}, true)
#define NOT_PLAIN(...) expect_each((const char *const[]){__VA_ARGS__, NULL}, false)

static void each_allowed_word_may_begin_a_statement(void **state)
{
    (void)state;
    PLAIN("ALTER TABLE a ADD x int", "COMMENT ON TABLE a IS 'x'", "CREATE TABLE a (x int)", "DELETE FROM a",
          "DROP TABLE a", "GRANT SELECT ON a TO b", "INSERT INTO a VALUES (1)", "REVOKE SELECT ON a FROM b",
          "TRUNCATE a", "UPDATE a SET x = 1");
    PLAIN("create table a (x int); Insert Into a values (1);\nuPDATE a SET x = 2");
    PLAIN("-- why\nCREATE TABLE a (x int)", "/* one /* two */ */ CREATE TABLE a (x int); -- three\n",
          "CREATE TABLE a (x int);; ;\r\nDROP TABLE a;",
          "\xEF\xBB\xBF"
          "CREATE TABLE a (x int)",
          "INSERT INTO a WITH b AS (SELECT 1 AS x) SELECT x FROM b", "CREATE TABLE a AS SELECT 1 AS x",
          "CREATE TABLE a (x int)\n--> statement-breakpoint\nDROP TABLE a");
}

static void every_other_statement_goes_through_execute(void **state)
{
    (void)state;
    NOT_PLAIN("SELECT 1", "WITH x AS (SELECT 1) SELECT * FROM x",
              "WITH x AS (SELECT 1) INSERT INTO a TABLE x", "VALUES (1)", "TABLE a", "(SELECT 1)",
              "DO 'BEGIN END'", "CALL f()", "EXPLAIN DELETE FROM a",
              "MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE");
    NOT_PLAIN("SET work_mem = '1MB'", "RESET ALL", "SHOW ALL", "DISCARD ALL",
              "SECURITY LABEL ON TABLE a IS 'x'", "COPY a FROM stdin", "COPY a TO stdout", "LOCK TABLE a",
              "LISTEN a", "NOTIFY a", "VACUUM", "ANALYZE a", "REINDEX TABLE a", "CLUSTER a",
              "REFRESH MATERIALIZED VIEW a",
              "IMPORT FOREIGN "
              "SCHEMA a FROM SERVER b INTO c",
              "PREPARE p AS DELETE FROM a", "EXECUTE p", "DEALLOCATE p", "DECLARE c CURSOR FOR SELECT 1",
              "FETCH c", "CLOSE c", "LOAD 'x'", "CHECKPOINT", "REASSIGN OWNED BY a TO b");
    NOT_PLAIN("CREATE TABLE a (x int); SELECT 1", "SELECT 1; CREATE TABLE a (x int)",
              "CREATE TABLE a (x int)\n--> statement-breakpoint\nSELECT 1");
}

static void no_statement_may_end_the_transaction(void **state)
{
    (void)state;
    NOT_PLAIN("COMMIT", "BEGIN", "START TRANSACTION", "END", "ABORT", "ROLLBACK", "SAVEPOINT a", "RELEASE a",
              "PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'", "SET TRANSACTION READ ONLY");
    NOT_PLAIN("CREATE TABLE a (x int); COMMIT; CREATE TABLE b (x int)",
              "BEGIN; CREATE TABLE a (x int); COMMIT; DROP TABLE a",
              "CREATE TABLE a (x int)\n--> statement-breakpoint\nCOMMIT");
    /* a wrapper around the file is taken off */
    PLAIN("BEGIN; CREATE TABLE a (x int); COMMIT;",
          "START TRANSACTION;\nCREATE TABLE a (x int);\nDROP TABLE a;\nEND");
}

static void no_semicolon_may_stand_within_a_statement(void **state)
{
    (void)state;
    NOT_PLAIN("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
              "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO a VALUES (1); END; DROP TABLE a",
              "CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM b; DELETE FROM c)");
    PLAIN("CREATE RULE r AS ON INSERT TO a DO ALSO DELETE FROM b");
    PLAIN("INSERT INTO a VALUES ('; COMMIT; ''; x')", "INSERT INTO a VALUES (E'\\'; COMMIT; --')",
          "INSERT INTO a VALUES ('\\'); DELETE FROM a WHERE x = ';'",
          "CREATE TABLE \"a;\"\"; COMMIT;\" (x int)",
          "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN 1; END;$$",
          "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $a$SELECT $$;$$ || ';'; SELECT 1;$a$");
    PLAIN("CREATE TABLE a ( -- one; COMMIT;\n x int)", "CREATE TABLE a (/* ; */ x int)",
          "CREATE TABLE a (/* one; /* two; */ three; ' */ x int)");
}

static void no_statement_may_return_rows(void **state)
{
    (void)state;
    NOT_PLAIN("INSERT INTO a VALUES (1) RETURNING x", "UPDATE a SET x = 1 returning *",
              "DELETE FROM a Returning x", "CREATE TABLE b (x int); DELETE FROM a RETURNING x",
              "INSERT INTO a WITH b AS (DELETE FROM c RETURNING x) SELECT x FROM b");
    PLAIN("INSERT INTO a VALUES ('RETURNING x')", "UPDATE a SET \"returning\" = 1",
          "DELETE FROM a -- RETURNING x", "COMMENT ON TABLE a IS $$returning$$",
          "CREATE TABLE returning_ (x int)");
}

static void settings_at_the_head_go_with_a_block(void **state)
{
    (void)state;
    NOT_PLAIN("SET lock_timeout = 1; CREATE TABLE a (x int)",
              "SELECT set_config('statement_timeout', '1s', true); CREATE TABLE a (x int)");
}

static void what_is_empty_or_not_understood_goes_with_a_block(void **state)
{
    (void)state;
    NOT_PLAIN("", ";;", "-- only a comment", "BEGIN; COMMIT;");
    NOT_PLAIN("CREATE TABEL a (x int)", "CREATE TABLE a (x int); SELEKT 1", "INSERT INTO a VALUES ('open",
              "CREATE TABLE a (x int,)\n--> statement-breakpoint\nCREATE TABLE b (x int)",
              "CREATE TABLE a (x int)\n--> statement-breakpoint\nCREATE TABLE b (x int,)");
}

/* Only the server can say whether it may run in a transaction. */
static void what_a_transaction_refuses_is_plain(void **state)
{
    (void)state;
    PLAIN("CREATE INDEX CONCURRENTLY ON a (x)", "DROP DATABASE a", "ALTER SYSTEM SET work_mem = '1MB'",
          "CREATE TABLESPACE a LOCATION '/a'");
}

static bool is_plain_with(int statements, size_t most_bytes)
{
    BUFFER_CLEANUP Buffer text = {0};
    for (int i = 0; i < statements; i++)
        buffer_append_text(&text, "DELETE FROM a;\n");
    while (text.length < most_bytes)
        buffer_append_char(&text, '\n');
    return is_plain(buffer_text(&text));
}

static void what_is_long_goes_with_a_block(void **state)
{
    (void)state;
    enum { MEGABYTE = 1024 * 1024 };
    assert_true(is_plain_with(500, 0));
    assert_false(is_plain_with(501, 0));
    assert_true(is_plain_with(2, MEGABYTE));
    assert_false(is_plain_with(2, MEGABYTE + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allowed_word_may_begin_a_statement),
        cmocka_unit_test(every_other_statement_goes_through_execute),
        cmocka_unit_test(no_statement_may_end_the_transaction),
        cmocka_unit_test(no_semicolon_may_stand_within_a_statement),
        cmocka_unit_test(no_statement_may_return_rows),
        cmocka_unit_test(settings_at_the_head_go_with_a_block),
        cmocka_unit_test(what_is_empty_or_not_understood_goes_with_a_block),
        cmocka_unit_test(what_a_transaction_refuses_is_plain),
        cmocka_unit_test(what_is_long_goes_with_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
