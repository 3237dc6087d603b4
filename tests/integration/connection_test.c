/* Connections on a real server, directly and through a transaction-pooling PgBouncer. */
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include "worker/pg/connection.h"
#include "worker/pg/session.h"
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static Cluster *cluster;

static Connection *try_open(const char *text, int64_t timeout_ms, Error *error)
{
    ConnectionString *url = connection_string_new(text, error);
    assert_non_null(url);
    ConnectionTarget target = {.database = "main",
                               .url = url,
                               .application_name = "pgconvoy/test/1",
                               .connect_timeout_ms = timeout_ms};
    Connection *connection = connection_open(&target, error);
    connection_string_free(url);
    return connection;
}

static Connection *open_url(char *url)
{
    Error error ERROR_CLEANUP = {0};
    Connection *connection = try_open(url, 5000, &error);
    if (connection == NULL)
        fail_msg("%s (%s)", error.message, error.detail);
    free(url);
    return connection;
}

static Connection *open_direct(void)
{
    return open_url(cluster_url(cluster, "postgres"));
}

static void run_good(Connection *connection, const char *sql)
{
    Error error ERROR_CLEANUP = {0};
    if (!connection_exec(connection, sql, NULL, &error))
        fail_msg("%s", error.message);
}

static char *text_of(Connection *connection, const char *sql)
{
    Error error ERROR_CLEANUP = {0};
    PGresult *result = NULL;
    if (!connection_exec(connection, sql, &result, &error))
        fail_msg("%s", error.message);
    char *text = strdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "(no row)");
    PQclear(result);
    return text;
}

static void assert_text(Connection *connection, const char *sql, const char *expected)
{
    char *text = text_of(connection, sql);
    assert_string_equal(text, expected);
    free(text);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void starts_with_our_parameters(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    assert_text(connection, "SHOW application_name", "pgconvoy/test/1");
    assert_text(connection, "SHOW client_encoding", "UTF8");
    char place[64];
    snprintf(place, sizeof place, "127.0.0.1:%d/postgres", cluster->port);
    assert_string_equal(connection_place(connection), place);
    assert_true(connection_server_version(connection) >= 140000);
    assert_true(connection_is_reusable(connection));
    connection_close(connection);
    connection_close(NULL);
}

static void several_statements_give_the_last_rows(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    char sql[1024];
    snprintf(sql, sizeof sql, "BEGIN; SELECT 'first'; SELECT 'wanted'; COMMIT; %s", SESSION_TAIL);
    assert_text(connection, sql, "wanted");
    Error error ERROR_CLEANUP = {0};
    PGresult *result = NULL;
    assert_true(connection_exec(connection, "CREATE TEMP TABLE t (n int); DROP TABLE t", &result, &error));
    assert_string_equal(PQcmdStatus(result), "DROP TABLE");
    PQclear(result);
    assert_true(connection_exec(connection, "", &result, &error));
    PQclear(result);
    connection_close(connection);
}

static void join_tag(void *context, const PGresult *result)
{
    strcat(context, PQcmdStatus((PGresult *)result));
    strcat(context, ";");
}

static void every_command_tag_can_be_seen(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    Error error ERROR_CLEANUP = {0};
    char tags[128] = "";
    assert_true(connection_exec_each(connection, "BEGIN; SELECT 1; COMMIT", join_tag, tags, &error));
    assert_string_equal(tags, "BEGIN;SELECT 1;COMMIT;");
    connection_close(connection);
}

static void error_keeps_the_servers_words_and_positions(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    Error error ERROR_CLEANUP = {0};
    PGresult *result = NULL;
    assert_false(
        connection_exec(connection, "SELECT 1; SELECT nothing FROM pg_class; SELECT 2", &result, &error));
    assert_null(result);
    assert_int_equal(error.code, ERROR_SERVER);
    assert_string_equal(error.message, "column \"nothing\" does not exist");
    assert_string_equal(error.sqlstate, "42703");
    assert_int_equal(result_position(connection_failure(connection)), 18);
    assert_false(connection_exec(connection, "DO $$BEGIN\nPERFORM 1;\nEXECUTE 'SELECT 1; SELEC 2';\nEND$$",
                                 NULL, &error));
    assert_string_equal(error.sqlstate, "42601");
    assert_int_equal(error.line, 3);
    assert_int_equal(result_internal_position(connection_failure(connection)), 11);
    assert_string_equal(result_internal_query(connection_failure(connection)), "SELECT 1; SELEC 2");
    assert_false(connection_exec(
        connection, "DO $$BEGIN RAISE EXCEPTION 'm' USING DETAIL = 'd', HINT = 'h', ERRCODE = 'XX123'; END$$",
        NULL, &error));
    assert_string_equal(error.message, "m");
    assert_string_equal(error.detail, "d");
    assert_string_equal(error.hint, "h");
    assert_string_equal(error.sqlstate, "XX123");
    run_good(connection, "SELECT 1");
    assert_null(connection_failure(connection));
    assert_true(connection_is_reusable(connection));
    connection_close(connection);
}

static void query_takes_parameters_and_one_statement(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    Error error ERROR_CLEANUP = {0};
    PGresult *result = NULL;
    const char *values[] = {"it's", NULL};
    assert_true(
        connection_query(connection, "SELECT $1::text, $2::text IS NULL", 2, values, &result, &error));
    assert_string_equal(PQgetvalue(result, 0, 0), "it's");
    assert_string_equal(PQgetvalue(result, 0, 1), "t");
    PQclear(result);
    assert_false(connection_query(connection, "SELECT 1; SELECT 2", 0, NULL, NULL, &error));
    assert_string_equal(error.sqlstate, "42601");
    connection_close(connection);
}

static void copy_is_an_error_and_never_a_wait(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    run_good(connection, "CREATE TABLE copied (n int)");
    Error error ERROR_CLEANUP = {0};
    assert_false(connection_exec(connection, "BEGIN; COPY copied FROM STDIN; COMMIT", NULL, &error));
    assert_string_equal(error.sqlstate, "57014");
    assert_int_equal(error.code, ERROR_SERVER);
    assert_false(connection_is_reusable(connection));
    run_good(connection, "ROLLBACK");
    assert_true(connection_is_reusable(connection));
    assert_false(connection_query(connection, "COPY copied FROM STDIN", 0, NULL, NULL, &error));
    assert_string_equal(error.sqlstate, "57014");
    assert_false(connection_exec(connection, "COPY (SELECT generate_series(1, 5000)) TO STDOUT; SELECT 1",
                                 NULL, &error));
    assert_string_equal(error.message, "COPY to the client is not possible here");
    assert_true(connection_is_reusable(connection));
    assert_text(connection, "SELECT count(*) FROM copied", "0");
    run_good(connection, "DROP TABLE copied");
    connection_close(connection);
}

typedef struct Canceller {
    Connection *connection;
    PGconn *observer;
} Canceller;

static void *cancel_when_asleep(void *argument)
{
    Canceller *canceller = argument;
    for (int tries = 0; tries < 500; tries++) {
        if (sql_number(canceller->observer,
                       "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0)
            break;
        usleep(10000);
    }
    connection_cancel(canceller->connection);
    return NULL;
}

static void assert_cancelled(Connection *connection)
{
    Canceller canceller = {connection, cluster_connect(cluster, "postgres")};
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_when_asleep, &canceller);
    Error error ERROR_CLEANUP = {0};
    int64_t started = now_ms();
    assert_false(connection_exec(connection, "SELECT pg_sleep(60)", NULL, &error));
    pthread_join(thread, NULL);
    PQfinish(canceller.observer);
    assert_true(now_ms() - started < 20000);
    assert_int_equal(error.code, ERROR_CANCELLED);
    assert_string_equal(error.sqlstate, "57014");
    assert_false(connection_is_reusable(connection));
    connection_close(connection);
}

static void another_thread_cancels(void **state)
{
    (void)state;
    assert_cancelled(open_direct());
    assert_cancelled(open_url(cluster_bouncer_url(cluster, "postgres")));
}

static void statement_timeout_is_no_cancellation(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    Error error ERROR_CLEANUP = {0};
    assert_false(
        connection_exec(connection, "SET statement_timeout = 20; SELECT pg_sleep(60)", NULL, &error));
    assert_int_equal(error.code, ERROR_SERVER);
    assert_string_equal(error.sqlstate, "57014");
    connection_close(connection);
}

static void *kill_when_asleep(void *argument)
{
    PGconn *observer = argument;
    for (int tries = 0; tries < 500; tries++) {
        if (sql_number(observer,
                       "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event "
                       "= 'PgSleep'") > 0)
            break;
        usleep(10000);
    }
    return NULL;
}

static void killed_backend_is_a_lost_connection(void **state)
{
    (void)state;
    char *urls[] = {cluster_url(cluster, "postgres"), cluster_bouncer_url(cluster, "postgres")};
    for (int i = 0; i < 2; i++) {
        Connection *connection = open_url(urls[i]);
        PGconn *observer = cluster_connect(cluster, "postgres");
        pthread_t thread;
        pthread_create(&thread, NULL, kill_when_asleep, observer);
        Error error ERROR_CLEANUP = {0};
        assert_false(connection_exec(connection, "SELECT pg_sleep(60)", NULL, &error));
        pthread_join(thread, NULL);
        assert_int_equal(error.code, ERROR_CONNECT);
        assert_int_equal(error_retry_class(&error), RETRY_TRANSIENT);
        assert_false(connection_is_reusable(connection));
        assert_false(connection_exec(connection, "SELECT 1", NULL, &error));
        assert_int_equal(error.code, ERROR_CONNECT);
        assert_non_null(strstr(error.message, "was lost"));
        PQfinish(observer);
        connection_close(connection);
    }
}

static void idle_connection_that_was_killed_is_not_reusable(void **state)
{
    (void)state;
    Connection *connection = open_direct();
    PGconn *observer = cluster_connect(cluster, "postgres");
    assert_true(connection_is_reusable(connection));
    int pid = PQbackendPID(connection_pg(connection));
    sql_run(observer, "SELECT pg_terminate_backend(%d, 5000)", pid);
    int tries = 0;
    while (connection_is_reusable(connection) && tries++ < 500)
        usleep(10000);
    assert_false(connection_is_reusable(connection));
    PQfinish(observer);
    connection_close(connection);
}

static void tail_leaves_a_new_session(void **state)
{
    (void)state;
    char *urls[] = {cluster_url(cluster, "postgres"), cluster_bouncer_url(cluster, "postgres")};
    for (int i = 0; i < 2; i++) {
        Connection *connection = open_url(urls[i]);
        run_good(connection, "CREATE ROLE somebody");
        char sql[1024];
        snprintf(sql, sizeof sql,
                 "BEGIN; SET search_path = nowhere; SET work_mem = '7MB'; CREATE TEMP TABLE kept (n int);"
                 "SELECT pg_advisory_lock(7); PREPARE p AS SELECT 1; LISTEN x; SET ROLE somebody;"
                 "DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT; %s",
                 SESSION_TAIL);
        run_good(connection, sql);
        /* In a second message, because UNLISTEN takes effect when the first one ends. */
        assert_text(connection,
                    "SELECT current_user || current_setting('search_path') || current_setting('work_mem') ||"
                    "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') ||"
                    "(SELECT count(*) FROM pg_prepared_statements) || (SELECT count(*) FROM pg_cursors) ||"
                    "(SELECT count(*) FROM pg_listening_channels()) || (to_regclass('kept') IS NULL)",
                    "postgres\"$user\", public4MB0000true");
        run_good(connection, "DROP ROLE somebody");
        connection_close(connection);
    }
}

static void refused(const char *url, const char *sqlstate, ErrorCode code, const char *detail,
                    RetryClass retry)
{
    Error error ERROR_CLEANUP = {0};
    Connection *connection = try_open(url, 5000, &error);
    assert_null(connection);
    assert_int_equal(error.code, code);
    assert_string_equal(error.sqlstate, sqlstate);
    assert_int_equal(error_retry_class(&error), retry);
    char *text = error_format(&error);
    if (detail != NULL && strstr(text, detail) == NULL)
        fail_msg("%s", text);
    assert_non_null(error.hint);
    assert_null(strstr(text, "s3cret"));
    assert_null(error.detail != NULL ? strchr(error.detail, '\n') : NULL);
    free(text);
}

static void refusals_are_told_apart(void **state)
{
    (void)state;
    char url[256];
    snprintf(url, sizeof url, "postgresql://locked:s3cret@127.0.0.1:%d/postgres", cluster->port);
    refused(url, "28P01", ERROR_CONNECT, "password authentication failed for user \"locked\"", RETRY_NEVER);
    snprintf(url, sizeof url, "postgresql://locked@127.0.0.1:%d/postgres", cluster->port);
    refused(url, "", ERROR_CONNECT, "no password supplied", RETRY_TRANSIENT);
    snprintf(url, sizeof url, "host=127.0.0.1 port=%d user=postgres dbname=nodb", cluster->port);
    refused(url, "3D000", ERROR_CONNECT, "database \"nodb\" does not exist", RETRY_NEVER);
    refused("postgresql://u:s3cret@127.0.0.1:1/x", "", ERROR_CONNECT, "Connection refused", RETRY_TRANSIENT);
    refused("postgresql://u:s3cret@nowhere.invalid/x", "", ERROR_CONNECT, "nowhere.invalid", RETRY_TRANSIENT);
    snprintf(url, sizeof url, "postgresql://s3cret:s3cret@127.0.0.1:%d/postgres", cluster->port);
    refused(url, "28000", ERROR_CONNECT, "<redacted>", RETRY_NEVER);
}

static void unusable_urls_are_not_quoted(void **state)
{
    (void)state;
    static const char *const URLS[] = {
        "postgresql://u:p@s3cret@127.0.0.1/x",
        "postgresql://u:p/s3cret@127.0.0.1/x",
        "postgresql://u:s3cret/x",
        "host=h password=a s3cret",
        "postgresql://u:%zzs3cret@h/x",
        "s3cret",
        "postgresql://u@h/x?s3cret=1",
    };
    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++)
        refused(URLS[i], "", ERROR_CONFIG, "the url of database \"main\"", RETRY_NEVER);
}

/* A listener that answers every client's startup packet with the same bytes. */
typedef struct Puppet {
    int listener;
    int port;
    const char *answer;
    size_t length;
    pthread_t thread;
} Puppet;

static void *puppet_run(void *argument)
{
    Puppet *puppet = argument;
    for (int client; (client = accept(puppet->listener, NULL, NULL)) >= 0;) {
        char startup[1024];
        if (read(client, startup, sizeof startup) > 0 && puppet->length > 0)
            (void)!write(client, puppet->answer, puppet->length);
        while (read(client, startup, sizeof startup) > 0)
            ;
        close(client);
    }
    return NULL;
}

static void puppet_start(Puppet *puppet, const char *answer, size_t length)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    puppet->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(puppet->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(puppet->listener, 5), 0);
    assert_int_equal(getsockname(puppet->listener, (struct sockaddr *)&address, &size), 0);
    puppet->port = ntohs(address.sin_port);
    puppet->answer = answer;
    puppet->length = length;
    pthread_create(&puppet->thread, NULL, puppet_run, puppet);
}

static void puppet_stop(Puppet *puppet)
{
    shutdown(puppet->listener, SHUT_RDWR);
    pthread_join(puppet->thread, NULL);
    close(puppet->listener);
}

/* What connecting to a server with this answer gives. */
static void assert_answer(const char *answer, size_t length, ErrorCode code, const char *sqlstate,
                          const char *words)
{
    Puppet puppet;
    puppet_start(&puppet, answer, length);
    char url[160];
    snprintf(url, sizeof url,
             "postgresql://u@127.0.0.1:%d/x?sslmode=disable&gssencmode=disable&target_session_attrs=any",
             puppet.port);
    Error error ERROR_CLEANUP = {0};
    int64_t started = now_ms();
    assert_null(try_open(url, 300, &error));
    assert_true(now_ms() - started < 5000);
    char *text = error_format(&error);
    if (error.code != code || strstr(text, words) == NULL)
        fail_msg("%s", text);
    free(text);
    assert_string_equal(error.sqlstate, sqlstate);
    puppet_stop(&puppet);
}

static void silent_server_hits_the_deadline(void **state)
{
    (void)state;
    assert_answer("", 0, ERROR_CONNECT, "", "no answer within 300 ms");
}

static void starting_server_is_known_by_its_sqlstate(void **state)
{
    (void)state;
    static const char ANSWER[] = "E\0\0\0\x3b"
                                 "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting\0";
    assert_answer(ANSWER, sizeof ANSWER, ERROR_CONNECT, "57P03", "FATAL: the database system is starting");
}

static void old_server_is_refused_by_name(void **state)
{
    (void)state;
    static const char ANSWER[] = "R\0\0\0\x08\0\0\0\0"
                                 "S\0\0\0\x18"
                                 "server_version\0"
                                 "13.9\0"
                                 "Z\0\0\0\x05I";
    assert_answer(ANSWER, sizeof ANSWER - 1, ERROR_CONFIG, "", "runs PostgreSQL 13.9, which is too old");
}

static void full_server_is_transient(void **state)
{
    (void)state;
    Cluster *small = cluster_start("max_connections = 4\nsuperuser_reserved_connections = 1");
    PGconn *taken[4];
    for (int i = 0; i < 4; i++)
        taken[i] = cluster_connect(small, "postgres");
    char *url = cluster_url(small, "postgres");
    refused(url, "53300", ERROR_CONNECT, "too many clients", RETRY_TRANSIENT);
    PQfinish(taken[0]);
    Error error ERROR_CLEANUP = {0};
    Connection *connection = NULL;
    for (int tries = 0; connection == NULL && tries < 500; tries++, usleep(10000))
        connection = try_open(url, 5000, &error);
    assert_non_null(connection);
    connection_close(connection);
    for (int i = 1; i < 4; i++)
        PQfinish(taken[i]);
    free(url);
    cluster_stop(small);
}

static void role_that_defaults_to_read_only_is_fine(void **state)
{
    (void)state;
    char url[160];
    snprintf(url, sizeof url, "postgresql://reader@127.0.0.1:%d/postgres", cluster->port);
    Connection *connection = open_url(strdup(url));
    run_good(connection, "BEGIN READ WRITE; CREATE TEMP TABLE t (n int); ROLLBACK");
    connection_close(connection);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    cluster_start_bouncer(cluster, 5);
    PGconn *connection = cluster_connect(cluster, "postgres");
    sql_run(connection, "CREATE ROLE locked LOGIN PASSWORD 'other'; CREATE ROLE reader LOGIN;"
                        "ALTER ROLE reader SET default_transaction_read_only = on");
    char path[128];
    snprintf(path, sizeof path, "%s/data/pg_hba.conf", cluster->directory);
    FILE *file = fopen(path, "w");
    fputs("host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n", file);
    fclose(file);
    char *before = sql_text(connection, "SELECT pg_conf_load_time()");
    sql_run(connection, "SELECT pg_reload_conf()");
    for (int tries = 0; tries < 500; tries++, usleep(10000))
        if (sql_number(connection, "SELECT (pg_conf_load_time() > '%s')::int", before) == 1)
            break;
    free(before);
    PQfinish(connection);
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
        cmocka_unit_test(starts_with_our_parameters),
        cmocka_unit_test(several_statements_give_the_last_rows),
        cmocka_unit_test(every_command_tag_can_be_seen),
        cmocka_unit_test(error_keeps_the_servers_words_and_positions),
        cmocka_unit_test(query_takes_parameters_and_one_statement),
        cmocka_unit_test(copy_is_an_error_and_never_a_wait),
        cmocka_unit_test(another_thread_cancels),
        cmocka_unit_test(statement_timeout_is_no_cancellation),
        cmocka_unit_test(killed_backend_is_a_lost_connection),
        cmocka_unit_test(idle_connection_that_was_killed_is_not_reusable),
        cmocka_unit_test(tail_leaves_a_new_session),
        cmocka_unit_test(refusals_are_told_apart),
        cmocka_unit_test(unusable_urls_are_not_quoted),
        cmocka_unit_test(silent_server_hits_the_deadline),
        cmocka_unit_test(starting_server_is_known_by_its_sqlstate),
        cmocka_unit_test(old_server_is_refused_by_name),
        cmocka_unit_test(full_server_is_transient),
        cmocka_unit_test(role_that_defaults_to_read_only_is_fine),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
