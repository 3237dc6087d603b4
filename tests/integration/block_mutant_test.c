/* Why the block is as it is: without its lock, or with the look at the tracking table before the lock, two
 * sessions apply one migration twice; the real one never does. The hash format has no unique index that would
 * step in. A gate, an advisory lock of the test's own, makes both sessions meet where the race is. */
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include "worker/ops/migration_block.h"
#include <stdio.h>

#define GATE "4711"
#define PAUSE "PERFORM pg_catalog.pg_advisory_xact_lock_shared(" GATE ");\n"

static Cluster *cluster;

/* A tenant with an empty tracking table, the test's own session, and two that race. */
typedef struct Race {
    PGconn *own, *first, *second;
} Race;

static Race open_race(void)
{
    Race race = {cluster_connect(cluster, "postgres"), cluster_connect(cluster, "postgres"),
                 cluster_connect(cluster, "postgres")};
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
static char *block_text(bool waits)
{
    ERROR_CLEANUP Error error = {0};
    const char *sql = waits ? "SELECT pg_advisory_xact_lock_shared(" GATE
                              ");\nINSERT INTO public.marks VALUES (1);"
                            : "INSERT INTO public.marks VALUES (1);";
    Migration migration = {
        .name = (char *)"0001_x", .hash = (char *)"abc", .sql = {(char *)sql, strlen(sql)}};
    MigrationScript script MIGRATION_SCRIPT_CLEANUP = {0};
    assert_true(migration_script_read(&migration, &script, &error));
    BlockRequest request = {.mode = BLOCK_APPLY,
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

/* The statement of the block that leaves it with this outcome. */
typedef struct Clause {
    size_t start, length;
} Clause;

static Clause find_clause(const char *text, const char *outcome)
{
    static const char END[] = "END IF;\n";
    char word[32];
    snprintf(word, sizeof word, "'%s'", outcome);
    const char *at = strstr(text, word);
    assert_non_null(at);
    const char *end = strstr(at, END);
    assert_non_null(end);
    while (strncmp(at, "\nIF ", 4) != 0)
        assert_true(--at > text);
    return (Clause){(size_t)(at + 1 - text), (size_t)(end + strlen(END) - at - 1)};
}

/* The message with lock and look replaced by these parts; they stand in this order with one check of the
 * schema between. Frees the text. */
static char *replace_clauses(char *text, const char *for_lock, const char *for_look)
{
    Clause lock = find_clause(text, "busy"), look = find_clause(text, "present");
    size_t between = lock.start + lock.length;
    assert_true(between <= look.start);
    char *changed;
    assert_true(asprintf(&changed, "%.*s%s%.*s%s%s", (int)lock.start, text, for_lock,
                         (int)(look.start - between), text + between, for_look,
                         text + look.start + look.length) > 0);
    free(text);
    return changed;
}

static char *copy_clause(const char *text, const char *outcome)
{
    Clause clause = find_clause(text, outcome);
    return strndup(text + clause.start, clause.length);
}

static char *without_lock(char *text)
{
    char *look = copy_clause(text, "present");
    char *changed = replace_clauses(text, "", look);
    free(look);
    return changed;
}

/* Lock and look in this order, or the other way round, with a pause between them or not. */
static char *with_order(char *text, bool look_first, bool pause)
{
    char *lock = copy_clause(text, "busy"), *look = copy_clause(text, "present"), *second;
    assert_true(asprintf(&second, "%s%s", pause ? PAUSE : "", look_first ? lock : look) > 0);
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

/* Ends the message; gives its outcome. */
static BlockOutcome end(PGconn *session)
{
    BlockOutcome outcome = BLOCK_OUTCOME_COUNT;
    PGresult *result;
    while ((result = PQgetResult(session)) != NULL) {
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            fail_msg("%s", PQresultErrorMessage(result));
        if (PQntuples(result) == 1 && outcome == BLOCK_OUTCOME_COUNT)
            block_outcome_from_word(PQgetvalue(result, 0, 0), &outcome);
        PQclear(result);
    }
    assert_int_not_equal(outcome, BLOCK_OUTCOME_COUNT);
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
static void the_real_block_keeps_a_second_session_out(void **state)
{
    (void)state;
    Race race = open_race();
    char *text = block_text(true);
    assert_one_at_a_time(&race, text, text);
    free(text);
    close_race(&race);
}

static void without_the_lock_a_migration_is_applied_twice(void **state)
{
    (void)state;
    Race race = open_race();
    char *text = without_lock(block_text(true));
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
static void the_real_block_may_pause_between_lock_and_look(void **state)
{
    (void)state;
    Race race = open_race();
    char *paused = with_order(block_text(false), false, true), *text = block_text(false);
    assert_one_at_a_time(&race, paused, text);
    free(paused);
    free(text);
    close_race(&race);
}

static void with_the_look_before_the_lock_a_migration_is_applied_twice(void **state)
{
    (void)state;
    Race race = open_race();
    char *paused = with_order(block_text(false), true, true);
    char *text = with_order(block_text(false), true, false);
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
    char *real = block_text(false), *again = with_order(block_text(false), false, false);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pieces_are_those_of_the_product),
        cmocka_unit_test(the_real_block_keeps_a_second_session_out),
        cmocka_unit_test(without_the_lock_a_migration_is_applied_twice),
        cmocka_unit_test(the_real_block_may_pause_between_lock_and_look),
        cmocka_unit_test(with_the_look_before_the_lock_a_migration_is_applied_twice),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
