/* Why a migration's message is as it is, with a block and plain: without its lock, or with the look at the
 * tracking table before the lock, two sessions apply one migration twice; the real one never does. The hash
 * format has no unique index that would step in. A gate, an advisory lock of the test's own, makes both
 * sessions meet where the race is. */
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include "worker/ops/migration_block.h"
#include <stdio.h>

#define GATE "4711"
#define PAUSE "pg_catalog.pg_advisory_xact_lock_shared(" GATE ")"

static Cluster *cluster;

/* How lock and look are written in a message. */
typedef struct Way {
    BlockMode mode;
    const char *lock, *look; /* words that only they hold */
    const char *begin, *end; /* of the statement that each is */
    const char *pause;       /* a statement of the same kind */
} Way;

static const Way BLOCK = {BLOCK_APPLY, "'busy'", "'present'", "\nIF ", "END IF;\n", "PERFORM " PAUSE ";\n"};
static const Way PLAIN = {BLOCK_PLAIN,
                          "pgconvoy: the lock of the tenant is held",
                          "pgconvoy: the tenant is not as it was planned",
                          "\nSELECT (CASE WHEN ",
                          ";\n",
                          "SELECT " PAUSE ";\n"};
static const Way *way; /* of the test that runs */

/* A tenant with an empty tracking table, the test's own session, and two that race. */
typedef struct Race {
    PGconn *own, *first, *second;
} Race;

static Race open_race(void)
{
    Race race = {cluster_connect(cluster, "postgres"), cluster_connect(cluster, "postgres"),
                 cluster_connect(cluster, "postgres")};
    sql_run(race.own, "SET lock_timeout = '10s'"); /* a race that failed keeps its gate */
    BUFFER_CLEANUP Buffer table = {0};
    tracking_append_create(&table, TRACKING_HASH, "tenant_a.tracked");
    sql_run(race.own, "DROP SCHEMA IF EXISTS tenant_a CASCADE; CREATE SCHEMA tenant_a;"
                      "DROP TABLE IF EXISTS public.marks; CREATE TABLE public.marks (at int)");
    sql_run(race.own, "%s", buffer_text(&table));
    sql_run(race.own, "SELECT pg_advisory_lock(" GATE ")");
    return race;
}

static void close_race(Race *race)
{
    PQfinish(race->own);
    PQfinish(race->first);
    PQfinish(race->second);
}

/* The product's message for a file that leaves a mark, behind the gate when it waits there itself. */
static char *message_text(bool waits)
{
    ERROR_CLEANUP Error error = {0};
    const char *sql = waits ? "INSERT INTO public.marks SELECT 1 FROM (SELECT " PAUSE ") AS gate;"
                            : "INSERT INTO public.marks VALUES (1);";
    Migration migration = {
        .name = (char *)"0001_x", .hash = (char *)"abc", .sql = {(char *)sql, strlen(sql)}};
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
    assert_true(migration_script_read(&migration, &script, &error));
    BlockRequest request = {.mode = way->mode,
                            .schema = "tenant_a",
                            .table = "tracked",
                            .tracking = {.format = TRACKING_HASH, .time_column = "created_at"},
                            .migration = &migration,
                            .ordinal = 1,
                            .script = &script,
                            .lock_timeout_ms = 4000,
                            .server_version = 150000};
    MigrationBlock block MIGRATION_BLOCK_CLEANUP = {0};
    assert_true(migration_block_build(&request, &block, &error));
    return strdup(block.sql);
}

/* The statement of the message that these words stand in. */
typedef struct Clause {
    size_t start, length;
} Clause;

static Clause find_clause(const char *text, const char *words)
{
    const char *at = strstr(text, words);
    assert_non_null(at);
    assert_null(strstr(at + 1, words));
    const char *end = strstr(at, way->end);
    assert_non_null(end);
    while (strncmp(at, way->begin, strlen(way->begin)) != 0)
        assert_true(--at > text);
    return (Clause){(size_t)(at + 1 - text), (size_t)(end + strlen(way->end) - at - 1)};
}

/* The message with lock and look replaced by these parts; they stand in this order, in a block with one check
 * of the schema between. Frees the text. */
static char *replace_clauses(char *text, const char *for_lock, const char *for_look)
{
    Clause lock = find_clause(text, way->lock), look = find_clause(text, way->look);
    size_t between = lock.start + lock.length;
    assert_true(between <= look.start);
    char *changed;
    assert_true(asprintf(&changed, "%.*s%s%.*s%s%s", (int)lock.start, text, for_lock,
                         (int)(look.start - between), text + between, for_look,
                         text + look.start + look.length) > 0);
    free(text);
    return changed;
}

static char *copy_clause(const char *text, const char *words)
{
    Clause clause = find_clause(text, words);
    return strndup(text + clause.start, clause.length);
}

static char *without_lock(char *text)
{
    char *look = copy_clause(text, way->look);
    char *changed = replace_clauses(text, "", look);
    free(look);
    return changed;
}

/* Lock and look in this order, or the other way round, with a pause between them or not. */
static char *with_order(char *text, bool look_first, bool pause)
{
    char *lock = copy_clause(text, way->lock), *look = copy_clause(text, way->look), *second;
    assert_true(asprintf(&second, "%s%s", pause ? way->pause : "", look_first ? lock : look) > 0);
    char *changed = replace_clauses(text, look_first ? look : lock, second);
    free(lock);
    free(look);
    free(second);
    return changed;
}

static void begin(PGconn *session, const char *text)
{
    assert_int_equal(PQsendQuery(session, text), 1);
}

/* What a plain message's error means: one of its demands was not met. */
static BlockOutcome outcome_of_error(const PGresult *result)
{
    const char *message = PQresultErrorMessage(result);
    bool demand = strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "22P02") == 0;
    if (demand && strstr(message, PLAIN.lock) != NULL)
        return BLOCK_BUSY;
    if (!demand || strstr(message, PLAIN.look) == NULL)
        fail_msg("%s", message);
    return BLOCK_PRESENT;
}

/* The outcome that a result tells, or the one known before. */
static BlockOutcome read_outcome(PGresult *result, BlockOutcome before)
{
    BlockOutcome outcome = before;
    bool failed = PQresultStatus(result) == PGRES_FATAL_ERROR;
    if (failed && way == &BLOCK)
        fail_msg("%s", PQresultErrorMessage(result));
    if (failed)
        return outcome_of_error(result);
    if (way == &PLAIN && strcmp(PQcmdStatus(result), "COMMIT") == 0)
        return BLOCK_DONE;
    if (way == &BLOCK && PQntuples(result) == 1 && before == BLOCK_OUTCOME_COUNT)
        block_outcome_from_word(PQgetvalue(result, 0, 0), &outcome);
    return outcome;
}

/* Ends the message; gives its outcome. */
static BlockOutcome end(PGconn *session)
{
    BlockOutcome outcome = BLOCK_OUTCOME_COUNT;
    PGresult *result;
    while ((result = PQgetResult(session)) != NULL) {
        outcome = read_outcome(result, outcome);
        PQclear(result);
    }
    assert_int_not_equal(outcome, BLOCK_OUTCOME_COUNT);
    if (PQtransactionStatus(session) == PQTRANS_INERROR)
        sql_run(session, "ROLLBACK");
    return outcome;
}

typedef struct Waiters {
    PGconn *own;
    long long count;
} Waiters;

static bool are_waiting(void *waiters_pointer)
{
    Waiters *waiters = waiters_pointer;
    return sql_number(waiters->own,
                      "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                      " AND objid = " GATE) == waiters->count;
}

static void await_waiters(PGconn *own, long long count)
{
    await(are_waiting, &(Waiters){own, count}, 10000, "sessions at the gate");
}

static void open_gate(PGconn *own)
{
    sql_run(own, "SELECT pg_advisory_unlock(" GATE ")");
}

static void assert_applied(Race *race, long long times)
{
    assert_int_equal(sql_number(race->own, "SELECT count(*) FROM public.marks"), times);
    assert_int_equal(sql_number(race->own, "SELECT count(*) FROM tenant_a.tracked"), times);
}

/* The first session pauses at the gate; the second one is refused until it is through, and then finds its
 * work. */
static void assert_one_at_a_time(Race *race, const char *first, const char *second)
{
    begin(race->first, first);
    await_waiters(race->own, 1);
    begin(race->second, second);
    assert_int_equal(end(race->second), BLOCK_BUSY);
    open_gate(race->own);
    assert_int_equal(end(race->first), BLOCK_DONE);
    begin(race->second, second);
    assert_int_equal(end(race->second), BLOCK_PRESENT);
    assert_applied(race, 1);
}

/* The migration itself waits at the gate, after lock and look. */
static void the_real_message_keeps_a_second_session_out(void **state)
{
    (void)state;
    Race race = open_race();
    char *text = message_text(true);
    assert_one_at_a_time(&race, text, text);
    free(text);
    close_race(&race);
}

static void without_the_lock_a_migration_is_applied_twice(void **state)
{
    (void)state;
    Race race = open_race();
    char *text = without_lock(message_text(true));
    begin(race.first, text);
    begin(race.second, text);
    await_waiters(race.own, 2);
    open_gate(race.own);
    assert_int_equal(end(race.first), BLOCK_DONE);
    assert_int_equal(end(race.second), BLOCK_DONE);
    assert_applied(&race, 2);
    free(text);
    close_race(&race);
}

/* The first session pauses between lock and look, or look and lock; the second one goes through. */
static void the_real_message_may_pause_between_lock_and_look(void **state)
{
    (void)state;
    Race race = open_race();
    char *paused = with_order(message_text(false), false, true), *text = message_text(false);
    assert_one_at_a_time(&race, paused, text);
    free(paused);
    free(text);
    close_race(&race);
}

static void with_the_look_before_the_lock_a_migration_is_applied_twice(void **state)
{
    (void)state;
    Race race = open_race();
    char *paused = with_order(message_text(false), true, true);
    char *text = with_order(message_text(false), true, false);
    begin(race.first, paused);
    await_waiters(race.own, 1);
    begin(race.second, text);
    assert_int_equal(end(race.second), BLOCK_DONE);
    open_gate(race.own);
    assert_int_equal(end(race.first), BLOCK_DONE);
    assert_applied(&race, 2);
    free(paused);
    free(text);
    close_race(&race);
}

/* The texts above are cut out of the product's and put together again: nothing else has changed. */
static void the_pieces_are_those_of_the_product(void **state)
{
    (void)state;
    char *real = message_text(false), *again = with_order(message_text(false), false, false);
    assert_string_equal(again, real);
    free(real);
    free(again);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

static int with_a_block(void **state)
{
    (void)state;
    print_message("with a block\n");
    way = &BLOCK;
    return 0;
}

static int plainly(void **state)
{
    (void)state;
    print_message("plainly\n");
    way = &PLAIN;
    return 0;
}

#define BOTH_WAYS(function) \
    cmocka_unit_test_setup(function, with_a_block), cmocka_unit_test_setup(function, plainly)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_WAYS(the_pieces_are_those_of_the_product),
        BOTH_WAYS(the_real_message_keeps_a_second_session_out),
        BOTH_WAYS(without_the_lock_a_migration_is_applied_twice),
        BOTH_WAYS(the_real_message_may_pause_between_lock_and_look),
        BOTH_WAYS(with_the_look_before_the_lock_a_migration_is_applied_twice),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
