/* Every kind of migration file, directly and through PgBouncer, plain ones also within a block: what becomes
 * of it, where an error is said to be, and that the next user of the server connection finds a session as
 * new. */
#include "common/buffer.h"
#include "tests/support/operations.h"
#include "tests/support/test.h"
#include <stdio.h>

static Bench *bench;

static int start(void **state)
{
    (void)state;
    bench = bench_start("max_prepared_transactions = 2");
    sql_run(bench->admin, "CREATE ROLE limited");
    return 0;
}

static int renew(void **state)
{
    (void)state;
    bench->options = (RunOptions){0};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bench_stop(bench);
    return 0;
}

typedef struct FileCase {
    const char *title;
    const char *text;
    Outcome outcome;
    const char *sqlstate; /* of an error */
    int64_t line, column;
    const char *check; /* SQL that gives t afterwards, with %1$s for the schema; or NULL */
} FileCase;

static const FileCase CASES[] = {
    /* ordinary files */
    {"one statement", "CREATE TABLE a (x int)", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.a') IS NOT NULL"},
    {"empty", "", OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"comment only", "-- nothing here", OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"semicolons only", ";;;", OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"trailing comment without line end", "CREATE TABLE a (x int); -- done", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.a') IS NOT NULL"},
    {"comment behind the last statement", "CREATE TABLE a (x int) -- done", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.a') IS NOT NULL"},
    {"CRLF", "CREATE TABLE a (x int);\r\nCREATE TABLE b (x int);\r\n", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.b') IS NOT NULL"},
    {"byte order mark",
     "\xEF\xBB\xBF"
     "CREATE TABLE a (x int)",
     OUTCOME_APPLIED, NULL, 0, 0, "to_regclass('t.a') IS NOT NULL"},
    {"percent signs and backslashes",
     "CREATE TABLE a (x text);\nINSERT INTO a VALUES ('100 %s %% \\n C:\\dir'), (E'it\\'s %I');",
     OUTCOME_APPLIED, NULL, 0, 0, "(SELECT string_agg(x, '|') FROM t.a) = '100 %s %% \\n C:\\dir|it''s %I'"},
    {"parameters are not parameters", "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
     OUTCOME_APPLIED, NULL, 0, 0, "t.f(7) = 7"},
    {"SELECT INTO at the end", "CREATE TABLE a (x int);\nSELECT 1 AS one INTO made", OUTCOME_APPLIED, NULL, 0,
     0, "(SELECT one FROM t.made) = 1"},
    {"SELECT INTO with a comment at the end", "SELECT 1 AS one INTO made; -- made", OUTCOME_APPLIED, NULL, 0,
     0, "(SELECT one FROM t.made) = 1"},
    {"SELECT INTO behind WITH", "WITH x AS (SELECT 1 AS one) SELECT one INTO made FROM x", OUTCOME_APPLIED,
     NULL, 0, 0, "(SELECT one FROM t.made) = 1"},
    {"breakpoints", "CREATE TABLE a (x int);\n--> statement-breakpoint\nCREATE TABLE b (x int);",
     OUTCOME_APPLIED, NULL, 0, 0, "to_regclass('t.b') IS NOT NULL"},
    {"breakpoints without semicolons",
     "CREATE TABLE a (x int)\n--> statement-breakpoint\nCREATE TABLE b (x int)", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.b') IS NOT NULL"},

    /* quoting */
    {"dollar quotes of every kind",
     "CREATE TABLE a (x text);\nINSERT INTO a VALUES ($$a$$), ($pgc0$b$pgc0$), ($pgc1$$pgc2$c$pgc1$), "
     "($_$d$_$);\n"
     "DO $pgc3$BEGIN INSERT INTO a VALUES ($pgc$e$pgc$); END$pgc3$;\nINSERT INTO a VALUES ('$pgc7'), "
     "('$pgc8$');",
     OUTCOME_APPLIED, NULL, 0, 0,
     "(SELECT string_agg(x, '' ORDER BY x COLLATE \"C\") FROM t.a) = "
     "'$pgc2$c$pgc7$pgc8$abde'"},
    {"BEGIN ATOMIC",
     "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\nSELECT f();",
     OUTCOME_APPLIED, NULL, 0, 0, "t.f() = 2"},
    {"DO block", "DO $$BEGIN\n  CREATE TABLE a (x int);\nEND$$;", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.a') IS NOT NULL"},
    {"plpgsql function", "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN 3; END$$;",
     OUTCOME_APPLIED, NULL, 0, 0, "t.f() = 3"},

    /* where rows come back that nobody asked for */
    {"RETURNING", "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1), (2) RETURNING x", OUTCOME_APPLIED, NULL,
     0, 0, "(SELECT sum(x) FROM t.a) = 3"},
    {"a rule that selects",
     "CREATE TABLE a (x int);\nCREATE RULE tell AS ON INSERT TO a DO ALSO SELECT * FROM a;\n"
     "INSERT INTO a VALUES (1), (2);\nUPDATE a SET x = 3;",
     OUTCOME_APPLIED, NULL, 0, 0, "(SELECT sum(x) FROM t.a) = 6"},
    {"a rule that selects instead",
     "CREATE TABLE a (x int);\nCREATE RULE tell AS ON INSERT TO a DO INSTEAD SELECT 'COMMIT';\n"
     "INSERT INTO a VALUES (1);\nUPDATE a SET x = 3;",
     OUTCOME_APPLIED, NULL, 0, 0, "NOT EXISTS (SELECT FROM t.a)"},
    {"rules that select, before an error",
     "CREATE TABLE a (x int CHECK (x > 0));\nCREATE RULE b AS ON INSERT TO a DO ALSO SELECT 1;\n"
     "CREATE RULE c AS ON INSERT TO a DO ALSO SELECT 2;\nINSERT INTO a VALUES (1);\nUPDATE a SET x = 0;\n"
     "UPDATE a SET x = 1;\nUPDATE a SET x = 2;",
     OUTCOME_ERROR, "23514", 5, 0, "to_regclass('t.a') IS NULL"},

    /* where errors are */
    {"error in the third statement",
     "CREATE TABLE a (x int);\n\nINSERT INTO a VALUES (1);\nSELECT\n 1/0;\nSELECT 2;", OUTCOME_ERROR, "22012",
     4, 0, "to_regclass('t.a') IS NULL"},
    {"error behind CRLF and comments",
     "CREATE TABLE a (x int);\r\n-- one\r\n/* two\r\n */ INSERT INTO a\r\nVALUES ('x');", OUTCOME_ERROR,
     "22P02", 5, 9, "to_regclass('t.a') IS NULL"},
    {"unknown column behind non-ASCII text",
     "CREATE TABLE a (x int);\n/* \xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4 */ SELECT '\xC3\xBC\xE2\x82\xAC', nope "
     "FROM a;",
     OUTCOME_ERROR, "42703", 2, 25, "to_regclass('t.a') IS NULL"},
    {"syntax error", "CREATE TABLE a (x int);\nSELEKT \xC3\xA4;\n", OUTCOME_ERROR, "42601", 2, 1,
     "to_regclass('t.a') IS NULL"},
    {"syntax error behind a byte order mark", "\xEF\xBB\xBFSELEKT 1", OUTCOME_ERROR, "42601", 1, 1, NULL},
    {"syntax error between breakpoints",
     "CREATE TABLE a (x int)\n--> statement-breakpoint\nCREATE TABLE\n  b (x int,)", OUTCOME_ERROR, "42601",
     4, 12, "to_regclass('t.a') IS NULL"},
    {"error inside a function called",
     "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n RETURN "
     "1/0;\nEND$$;\n\nSELECT f();",
     OUTCOME_ERROR, "22012", 6, 0, "to_regproc('t.f') IS NULL"},
    {"error inside a DO block", "SELECT 1;\nDO $$BEGIN\n  PERFORM 1;\n  RAISE EXCEPTION 'no';\nEND$$;",
     OUTCOME_ERROR, "P0001", 2, 0, NULL},
    {"error inside the body of a new function",
     "SELECT 1;\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n"
     " SELECT nope\n$$;",
     OUTCOME_ERROR, "42703", 3, 9, NULL},
    {"error in the third of plain statements",
     "CREATE TABLE a (x int CHECK (x > 0));\n\nINSERT INTO a VALUES (1);\nINSERT INTO a\n VALUES (-1);\n"
     "CREATE TABLE b (x int);",
     OUTCOME_ERROR, "23514", 4, 0, "to_regclass('t.a') IS NULL"},
    {"unknown column in the third of plain statements",
     "CREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\nINSERT INTO a\n VALUES (nope);\nDROP TABLE a",
     OUTCOME_ERROR, "42703", 4, 10, "to_regclass('t.a') IS NULL"},
    {"unknown column behind non-ASCII text in a plain file",
     "CREATE TABLE a (x int);\n/* \xC3\xA4\xC3\xA4\xC3\xA4 */ COMMENT ON TABLE a IS '\xC3\xBC\xE2\x82\xAC'; "
     "DELETE FROM a WHERE nope;",
     OUTCOME_ERROR, "42703", 2, 59, "to_regclass('t.a') IS NULL"},
    {"error inside a trigger",
     "CREATE TABLE a (x int);\nCREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n NEW.x := "
     "1/0;\nEND$$;\nCREATE TRIGGER f BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();\n\n"
     "INSERT INTO a VALUES (1);",
     OUTCOME_ERROR, "22012", 8, 0, "to_regclass('t.a') IS NULL"},
    {"error inside the body of a new function in a plain file",
     "CREATE TABLE a (x int);\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n SELECT nope\n$$;",
     OUTCOME_ERROR, "42703", 3, 9, "to_regclass('t.a') IS NULL"},
    {"error inside a body that stands in the file twice",
     "CREATE TABLE a (x int);\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT x FROM a';\n"
     "ALTER TABLE a RENAME x TO y;\nCREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT x FROM a';",
     OUTCOME_ERROR, "42703", 4, 0, "to_regclass('t.a') IS NULL"},
    {"a deferred constraint is checked",
     "CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY "
     "DEFERRED);\n"
     "INSERT INTO c VALUES (1);",
     OUTCOME_ERROR, "23503", 0, 0, "to_regclass('t.p') IS NULL"},

    /* timeouts */
    {"timeouts at the head work",
     "SET statement_timeout = '100ms';\nSET LOCAL lock_timeout TO 0;\nSELECT pg_sleep(60);", OUTCOME_ERROR,
     "57014", 3, 0, NULL},
    {"timeouts by set_config",
     "SELECT pg_catalog.set_config('statement_timeout', '100ms', false);\nSELECT pg_sleep(60);",
     OUTCOME_ERROR, "57014", 2, 0, NULL},
    {"a bad timeout at the head", "-- x\nSET lock_timeout = 'soon';\nSELECT 1;", OUTCOME_ERROR, "22023", 2, 0,
     NULL},

    /* session state */
    {"SET ROLE", "SET ROLE limited;", OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"SET LOCAL ROLE", "SET LOCAL ROLE limited;", OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"RESET ROLE", "SET ROLE limited; RESET ROLE;", OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"SET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION limited; SET ROLE NONE", OUTCOME_APPLIED, NULL,
     0, 0, NULL},
    {"SET LOCAL SESSION AUTHORIZATION", "SET LOCAL SESSION AUTHORIZATION limited", OUTCOME_APPLIED, NULL, 0,
     0, NULL},
    {"deferred triggers run as the text's role",
     "CREATE TABLE a (who text); GRANT ALL ON a TO limited; GRANT USAGE ON SCHEMA t TO limited;\n"
     "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t.a SET who = current_user; "
     "RETURN NULL; END';\n"
     "CREATE CONSTRAINT TRIGGER tell AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE "
     "FUNCTION tell();\nSET ROLE limited; INSERT INTO a VALUES ('?');",
     OUTCOME_APPLIED, NULL, 0, 0, "(SELECT who FROM t.a) = 'limited'"},
    {"SET ROLE in a trigger",
     "CREATE TABLE a (x int);\nCREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SET ROLE "
     "limited; "
     "RETURN NEW; END';\nCREATE TRIGGER f BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();\n"
     "INSERT INTO a VALUES (1)",
     OUTCOME_APPLIED, NULL, 0, 0, "(SELECT x FROM t.a) = 1"},
    {"set_config() of role and search_path in a trigger",
     "CREATE TABLE a (x int);\nCREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
     "set_config(''role'', ''limited'', false), set_config(''search_path'', ''pg_catalog'', false), "
     "set_config(''my.own'', ''x'', false); RETURN NEW; END';\n"
     "CREATE TRIGGER f BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();\nINSERT INTO a VALUES (1)",
     OUTCOME_APPLIED, NULL, 0, 0, "(SELECT x FROM t.a) = 1"},
    {"SET SESSION AUTHORIZATION in a trigger and an error",
     "CREATE TABLE a (x int);\nCREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN SET SESSION "
     "AUTHORIZATION limited; RETURN NEW; END';\nCREATE TRIGGER f BEFORE INSERT ON a FOR EACH ROW EXECUTE "
     "FUNCTION f();\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);",
     OUTCOME_ERROR, "42P01", 5, 13, "to_regclass('t.a') IS NULL"},
    {"session objects of a plain file",
     "CREATE TEMP TABLE scratch (x int); CREATE SEQUENCE s;\nINSERT INTO scratch SELECT nextval('s') FROM "
     "(SELECT pg_advisory_lock(42), set_config('work_mem', '1MB', false)) AS t;",
     OUTCOME_APPLIED, NULL, 0, 0, "nextval('t.s') = 2"},
    {"SET search_path", "SET search_path = pg_catalog; CREATE TABLE t.a (x int)", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.a') IS NOT NULL"},
    {"pg_dump's head",
     "SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET idle_in_transaction_session_timeout = 0;\n"
     "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n"
     "SELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\n"
     "SET xmloption = content;\nSET client_min_messages = warning;\nSET row_security = off;\n"
     "SET default_table_access_method = heap;\nCREATE TABLE t.a (x int);",
     OUTCOME_APPLIED, NULL, 0, 0, "to_regclass('t.a') IS NOT NULL"},
    {"RESET ALL", "RESET ALL; SET work_mem = '1MB'", OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"session settings",
     "SET work_mem = '1MB'; SET timezone = 'Asia/Tokyo'; SET my.own = 'x'; SET SESSION "
     "CHARACTERISTICS AS TRANSACTION READ ONLY",
     OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"session objects",
     "CREATE TEMP TABLE scratch (x int); PREPARE p AS SELECT 1; LISTEN news; DECLARE c CURSOR WITH "
     "HOLD FOR SELECT 1; SELECT pg_advisory_lock(42); CREATE SEQUENCE s; SELECT nextval('s');",
     OUTCOME_APPLIED, NULL, 0, 0, NULL},
    {"session objects and an error",
     "CREATE TEMP TABLE scratch (x int); PREPARE p AS SELECT 1; LISTEN news;\nSELECT "
     "pg_advisory_lock(42); SET work_mem = '1MB'; CREATE SEQUENCE s; SELECT nextval('s');\nSELECT 1/0;",
     OUTCOME_ERROR, "22012", 3, 0, NULL},
    {"client_encoding and an error", "SET client_encoding = 'LATIN1';\nSELECT '\xC3\xA4'::int;",
     OUTCOME_ERROR, "22P02", 2, 0, NULL},

    /* transactions */
    {"BEGIN and COMMIT around", "BEGIN;\nCREATE TABLE a (x int);\nCOMMIT;", OUTCOME_APPLIED, NULL, 0, 0,
     "to_regclass('t.a') IS NOT NULL"},
    {"BEGIN and COMMIT around an error", "BEGIN;\nCREATE TABLE a (x int);\nSELECT 1/0;\nCOMMIT;",
     OUTCOME_ERROR, "22012", 3, 0, "to_regclass('t.a') IS NULL"},
    {"COMMIT in the middle", "CREATE TABLE a (x int);\nCOMMIT;\nCREATE TABLE b (x int);", OUTCOME_ERROR,
     "0A000", 2, 0, "to_regclass('t.a') IS NULL"},
    {"COMMIT in what cannot be cut", "CREATE TABLE a (x int);\nCOMMIT;\nSELEKT 1", OUTCOME_ERROR, "42601", 3,
     1, "to_regclass('t.a') IS NULL"},
    {"COMMIT and BEGIN", "CREATE TABLE a (x int);\nCOMMIT; BEGIN;\nCREATE TABLE b (x int);", OUTCOME_ERROR,
     "0A000", 2, 0, "to_regclass('t.a') IS NULL"},
    {"ROLLBACK", "CREATE TABLE a (x int);\nROLLBACK;", OUTCOME_ERROR, "0A000", 2, 0,
     "to_regclass('t.a') IS NULL"},
    {"SAVEPOINT", "CREATE TABLE a (x int);\n\nSAVEPOINT s;", OUTCOME_ERROR, "0A000", 3, 0,
     "to_regclass('t.a') IS NULL"},
    {"PREPARE TRANSACTION", "CREATE TABLE a (x int);\nPREPARE TRANSACTION 'x';", OUTCOME_ERROR, "0A000", 2, 0,
     "to_regclass('t.a') IS NULL"},
    {"COMMIT in a DO block", "CREATE TABLE a (x int);\nDO 'BEGIN COMMIT; END';", OUTCOME_ERROR, "2D000", 2, 0,
     "to_regclass('t.a') IS NULL"},
    {"two transactions", "BEGIN; CREATE TABLE a (x int);\nCOMMIT;\nBEGIN; CREATE TABLE b (x int); COMMIT;",
     OUTCOME_ERROR, "0A000", 2, 0, "to_regclass('t.a') IS NULL"},

    /* what a transaction cannot do */
    {"CREATE INDEX CONCURRENTLY", "CREATE TABLE a (x int);\nCREATE INDEX CONCURRENTLY ON a (x);",
     OUTCOME_ERROR, "25001", 2, 0, "to_regclass('t.a') IS NULL"},
    {"VACUUM", "VACUUM;", OUTCOME_ERROR, "25001", 1, 0, NULL},
    {"CREATE DATABASE", "\nCREATE DATABASE x;", OUTCOME_ERROR, "25001", 2, 0, NULL},
    {"the directive", "-- pgconvoy:transaction off\nCREATE TABLE a (x int);", OUTCOME_ERROR, NULL, 1, 0,
     "to_regclass('t.a') IS NULL"},
    {"COPY FROM stdin", "CREATE TABLE a (x int);\nCOPY a FROM stdin;\n", OUTCOME_ERROR, "0A000", 2, 0,
     "to_regclass('t.a') IS NULL"},
    {"COPY FROM stdin with data", "CREATE TABLE a (x int);\nCOPY a FROM stdin;\n1\n\\.\n", OUTCOME_ERROR,
     "42601", 3, 1, "to_regclass('t.a') IS NULL"},
    {"COPY TO stdout", "COPY (SELECT 1) TO stdout", OUTCOME_ERROR, "0A000", 1, 0, NULL},
    {"psql's commands", "\\set x 1\nSELECT 1;", OUTCOME_ERROR, "42601", 1, 1, NULL},

    /* against the tenant itself */
    {"DROP of the tracking table", "DROP TABLE __drizzle_migrations", OUTCOME_ERROR, "42P01", 0, 0,
     "to_regclass('t.__drizzle_migrations') IS NOT NULL"},
    {"DROP of the schema", "DROP SCHEMA t CASCADE", OUTCOME_ERROR, "42P01", 0, 0,
     "to_regnamespace('t') IS NOT NULL"},
};

enum { CASE_COUNT = sizeof CASES / sizeof CASES[0] };

/* What a new session looks like, as one text. */
static char *session_of(Reservoir *reservoir)
{
    static const char SQL[] =
        "SELECT concat_ws('; ', current_setting('search_path'), current_user, session_user, "
        "current_setting('role'), current_setting('transaction_read_only'), "
        "(SELECT string_agg(name, ',') FROM pg_settings WHERE source = 'session' AND name <> "
        "'application_name'), "
        "(SELECT count(*) FROM pg_class WHERE relpersistence = 't'), (SELECT count(*) FROM "
        "pg_prepared_statements), "
        "(SELECT count(*) FROM pg_cursors WHERE name <> ''), (SELECT count(*) FROM pg_listening_channels()), "
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), coalesce(current_setting('my.own', "
        "true), ''))";
    Error error = {0};
    Connection *connection = reservoir_acquire(reservoir, "pgconvoy/test/0", 0, &error);
    assert_non_null(connection);
    PGresult *rows = PQexec(connection_pg(connection), SQL);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    char *text = strdup(PQgetvalue(rows, 0, 0));
    PQclear(rows);
    rows = PQexec(connection_pg(connection), "SELECT lastval()");
    assert_string_equal(PQresultErrorField(rows, PG_DIAG_SQLSTATE), "55000");
    PQclear(rows);
    assert_int_equal(PQtransactionStatus(connection_pg(connection)), PQTRANS_IDLE);
    reservoir_release(reservoir, connection, 0);
    return text;
}

static char *backend_of(Reservoir *reservoir)
{
    Error error = {0};
    Connection *connection = reservoir_acquire(reservoir, "pgconvoy/test/0", 0, &error);
    assert_non_null(connection);
    char *pid = sql_text(connection_pg(connection), "SELECT pg_backend_pid()");
    reservoir_release(reservoir, connection, 0);
    return pid;
}

static void check_case(const FileCase *file, Reservoir *reservoir)
{
    sql_run(bench->admin, "DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t");
    char *before = session_of(reservoir), *pid = backend_of(reservoir);
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_x", file->text, 0);
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, reservoir, "t", &bundle);
    const TenantMigrationResult *result = &ended.result;
    if (ended.outcome != file->outcome || result->line != file->line || result->column != file->column)
        print_error("%s\n", result->error != NULL ? result->error : "no error");
    assert_int_equal(ended.outcome, file->outcome);
    if (file->outcome == OUTCOME_ERROR) {
        assert_string_equal(result->sqlstate != NULL ? result->sqlstate : "",
                            file->sqlstate != NULL ? file->sqlstate : "");
        assert_string_equal(result->migration, "0001_x");
        assert_int_equal(result->applied_migrations.count, 0);
    }
    assert_int_equal(result->line, file->line);
    assert_int_equal(result->column, file->column);
    if (file->check != NULL) {
        char *holds = sql_text(bench->admin, "SELECT %s", file->check);
        assert_string_equal(holds, "t");
        free(holds);
    }
    bool applied = file->outcome == OUTCOME_APPLIED;
    bool table = sql_number(bench->admin, "SELECT count(to_regclass('t.__drizzle_migrations'))") == 1;
    long long rows = table ? sql_number(bench->admin, "SELECT count(*) FROM t.__drizzle_migrations") : 0;
    assert_int_equal(rows, applied ? 1 : 0);
    char *after = session_of(reservoir), *pid_after = backend_of(reservoir);
    assert_string_equal(after, before);
    assert_string_equal(pid_after, pid); /* else there is nothing to see */
    free(before);
    free(after);
    free(pid);
    free(pid_after);
    bundle_clear(&bundle);
}

static void check_all(Reservoir *reservoir, const char *way)
{
    for (size_t i = 0; i < CASE_COUNT; i++) {
        print_message("%s, %s\n", CASES[i].title, way);
        check_case(&CASES[i], reservoir);
    }
}

static void each_kind_of_file_directly(void **state)
{
    (void)state;
    check_all(bench->direct, "directly");
}

/* A statement timeout has plain files go through blocks like all others. */
static void each_kind_of_file_within_a_block(void **state)
{
    (void)state;
    bench->options.statement_timeout_ms = 600000;
    check_all(bench->direct, "within a block");
}

static void each_kind_of_file_through_a_bouncer(void **state)
{
    (void)state;
    check_all(bench->pooled, "through PgBouncer");
}

/* Runs one file on a new schema t and expects it to fail. */
static BenchResult fail_file(const char *text)
{
    sql_run(bench->admin, "DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t");
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_x", text, 0);
    BenchResult ended = bench_run(bench, op_migrate, bench->direct, "t", &bundle);
    assert_int_equal(ended.outcome, OUTCOME_ERROR);
    bundle_clear(&bundle);
    return ended;
}

static void errors_that_have_a_way_out_name_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hint;
    } HINTS[] = {
        {"SELECT 1; COMMIT; SELECT 2", "take transaction commands out"},
        {"DO 'BEGIN COMMIT; END'", "take transaction commands out"},
        {"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "READ COMMITTED"},
        {"VACUUM", "--mark-applied"},
        {"-- pgconvoy:transaction off\nVACUUM", "not available yet"},
        {"CREATE TABLE a (x int); COPY a FROM stdin", "use INSERT"},
        {"SET statement_timeout = 50; SELECT pg_catalog.pg_sleep(60)", "statement_timeout"},
        {"SELECT nosuch(1)", "No function matches"}, /* the server's own */
    };
    for (size_t i = 0; i < sizeof HINTS / sizeof HINTS[0]; i++) {
        BENCH_RESULT_CLEANUP BenchResult ended = fail_file(HINTS[i].text);
        assert_non_null(ended.result.hint);
        assert_non_null(strstr(ended.result.hint, HINTS[i].hint));
    }
}

static void the_servers_words_come_back_unchanged(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
        int64_t line, column;
    } WORDS[] = {
        {"SELECT 1 +", "syntax error at end of input", 1, 11},
        {"SELECT 1;\nSELECT 'open", "unterminated quoted string at or near \"'open\"", 2, 8},
        {"CREATE TABEL x (id int);", "syntax error at or near \"TABEL\"", 1, 8},
        {"SELECT 'a'::int", "invalid input syntax for type integer: \"a\"", 1, 8},
        {"DO $$BEGIN RAISE '%', 'ah %s'; END$$;", "ah %s", 1, 0},
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        BENCH_RESULT_CLEANUP BenchResult ended = fail_file(WORDS[i].text);
        assert_string_equal(ended.result.error, WORDS[i].error);
        assert_int_equal(ended.result.line, WORDS[i].line);
        assert_int_equal(ended.result.column, WORDS[i].column);
    }
}

/* A position may count in the statement or, for a function's body, in the whole message. */
static void positions_in_long_statements_are_right(void **state)
{
    (void)state;
    Buffer table = {0}, function = {0};
    buffer_append_text(&table, "CREATE TABLE a (\n");
    buffer_append_text(&function,
                       "SELECT 1;\nCREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$\n");
    for (int i = 0; i < 300; i++) {
        buffer_appendf(&table, "  column_%03d integer,\n", i);
        buffer_append_text(&function, "  SELECT 1 AS one;\n");
    }
    buffer_append_text(&table, "  last nosuchtype\n);");
    buffer_append_text(&function, "  SELECT nope\n$$;");
    BENCH_RESULT_CLEANUP BenchResult in_table = fail_file(buffer_text(&table));
    assert_string_equal(in_table.result.sqlstate, "42704");
    assert_int_equal(in_table.result.line, 302);
    assert_int_equal(in_table.result.column, 8);
    BENCH_RESULT_CLEANUP BenchResult in_function = fail_file(buffer_text(&function));
    assert_string_equal(in_function.result.sqlstate, "42703");
    assert_int_equal(in_function.result.line, 303);
    assert_int_equal(in_function.result.column, 10);
    buffer_clear(&table);
    buffer_clear(&function);
}

static void a_runs_statement_timeout_ends_a_migration(void **state)
{
    (void)state;
    bench->options.statement_timeout_ms = 100;
    BENCH_RESULT_CLEANUP BenchResult ended = fail_file("SELECT 1;\nSELECT pg_sleep(60);");
    assert_string_equal(ended.result.sqlstate, "57014");
    assert_int_equal(ended.result.line, 2);
}

/* Files of many statements share EXECUTEs; an error is still at its own line. */
static void a_file_of_two_megabytes_runs_and_names_its_error(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    Buffer text = {0};
    buffer_append_text(&text, "CREATE TABLE a (x int PRIMARY KEY, filler text);\n");
    for (int i = 0; i < ROWS; i++)
        buffer_appendf(&text, "INSERT INTO a VALUES (%d, '%064d');\n", i, i);
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_big", buffer_text(&text), 0);
    sql_run(bench->admin, "DROP SCHEMA IF EXISTS t CASCADE; CREATE SCHEMA t");
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, bench->pooled, "t", &bundle);
    assert_int_equal(ended.outcome, OUTCOME_APPLIED);
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM t.a"), ROWS);

    buffer_append_text(&text, "INSERT INTO a VALUES (1, '');\nINSERT INTO a VALUES (2, '');\n");
    BENCH_RESULT_CLEANUP BenchResult twice = fail_file(buffer_text(&text));
    assert_string_equal(twice.result.sqlstate, "23505");
    assert_int_equal(twice.result.line, ROWS + 2);
    buffer_append_text(&text, "INSERT INTO a VALUES ('x', '');\n");
    char *at = strstr(text.data, "(1, '')");
    memcpy(at, "(-1,'')", 7);
    memcpy(strstr(at, "(2, '')"), "(-2,'')", 7);
    BENCH_RESULT_CLEANUP BenchResult typed = fail_file(buffer_text(&text));
    assert_string_equal(typed.result.sqlstate, "22P02");
    assert_int_equal(typed.result.line, ROWS + 4);
    assert_int_equal(typed.result.column, 23);
    bundle_clear(&bundle);
    buffer_clear(&text);
}

static void a_missing_schema_never_falls_through_to_public(void **state)
{
    (void)state;
    Bundle bundle = {0};
    bundle_add(&bundle, "0001_x", "CREATE TABLE strayed (x int)", 0);
    BENCH_RESULT_CLEANUP BenchResult ended = bench_run(bench, op_migrate, bench->direct, "gone", &bundle);
    assert_int_equal(ended.outcome, OUTCOME_NO_SCHEMA);
    assert_string_equal(ended.result.error, "schema \"gone\" does not exist");
    assert_string_equal(ended.result.sqlstate, "3F000");
    assert_string_equal(ended.result.outcome, "no_schema");
    assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM pg_class WHERE relname = 'strayed'"), 0);
    bundle_clear(&bundle);
}

static void names_that_need_quoting_are_quoted(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"Acme", "a\"b", "a'b\\c", "zz,public", "$user", "x;y", "$pgc0$"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char *quoted = PQescapeIdentifier(bench->admin, NAMES[i], strlen(NAMES[i]));
        sql_run(bench->admin, "CREATE SCHEMA %s", quoted);
        Bundle bundle = {0};
        bundle_add(&bundle, "0001_it's \\ \"quoted\" $pgc0$", "CREATE TABLE a (x int)", 0);
        BENCH_RESULT_CLEANUP BenchResult ended =
            bench_run(bench, op_migrate, bench->pooled, NAMES[i], &bundle);
        /* "$user" in a search_path means another schema, so that one is refused, not misplaced */
        bool works = strcmp(NAMES[i], "$user") != 0;
        assert_int_equal(ended.outcome, works ? OUTCOME_APPLIED : OUTCOME_ERROR);
        if (works)
            assert_int_equal(sql_number(bench->admin, "SELECT count(*) FROM %s.a", quoted), 0);
        sql_run(bench->admin, "DROP SCHEMA %s CASCADE", quoted);
        PQfreemem(quoted);
        bundle_clear(&bundle);
    }
}

#define TEST(function) cmocka_unit_test_setup(function, renew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_file_directly),
        TEST(each_kind_of_file_within_a_block),
        TEST(each_kind_of_file_through_a_bouncer),
        TEST(errors_that_have_a_way_out_name_it),
        TEST(the_servers_words_come_back_unchanged),
        TEST(positions_in_long_statements_are_right),
        TEST(a_runs_statement_timeout_ends_a_migration),
        TEST(a_file_of_two_megabytes_runs_and_names_its_error),
        TEST(a_missing_schema_never_falls_through_to_public),
        TEST(names_that_need_quoting_are_quoted),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
