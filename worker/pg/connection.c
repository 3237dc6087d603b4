#include "worker/pg/connection.h"
#include "common/buffer.h"
#include "common/crash_point.h"
#include "worker/pg/conninfo.h"
#include "worker/pg/deadline.h"
#include "worker/pg/text.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_SERVER = 140000, VOID_TYPE = 2278 };

struct Connection {
    PGconn *pg;
    char *place;
    PGresult *failure;
    bool broken; /* libpq could not leave a COPY: only closing helps */
    atomic_bool cancelled;
    pthread_mutex_t cancel_mutex; /* guards cancel against a close in between */
    PGcancel *cancel;
};

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* Drives libpq's connecting machine; false when it failed, or when the deadline passed (*ret_late). */
static bool connect_until(PGconn *pg, Deadline deadline, bool *ret_late)
{
    *ret_late = false;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED || PQstatus(pg) == CONNECTION_BAD)
            return false;
        int64_t left = deadline_left_ms(deadline);
        if (left == 0) {
            *ret_late = true;
            return false;
        }
        struct pollfd wait = {.fd = PQsocket(pg),
                              .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        /* Interrupted or timed out: the loop looks at the clock again. */
        if (poll(&wait, 1, left > 60000 ? 60000 : (int)left) > 0)
            state = PQconnectPoll(pg);
    }
    return true;
}

static char *place_of(PGconn *pg)
{
    const char *host = PQhost(pg), *port = PQport(pg), *database = PQdb(pg);
    bool bare_ipv6 = host != NULL && host[0] != '/' && strchr(host, ':') != NULL;
    Buffer text = {0};
    buffer_appendf(&text, bare_ipv6 ? "[%s]" : "%s", host != NULL && host[0] != '\0' ? host : "local");
    buffer_appendf(&text, ":%s/%s", port != NULL && port[0] != '\0' ? port : "5432",
                   database != NULL ? database : "");
    return buffer_take(&text);
}

static const struct {
    const char *sqlstate; /* compared when the server gave one ... */
    const char *text;     /* ... and these words of libpq's otherwise */
    const char *hint;
} HINTS[] = {
    {"28P01", "no password supplied", "check user and password of this database's url, or PGPASSFILE"},
    {"28000", "pg_hba.conf", "allow this user and address in the server's pg_hba.conf, or fix the url"},
    {"3D000", NULL, "create the database, or fix its name in the url"},
    {"42501", NULL, "grant CONNECT on the database to this user"},
    {"53300", NULL, "lower databases[].max_connections or raise the server's max_connections"},
    {"57P03", NULL, "wait until the server accepts connections"},
    {NULL, "Connection refused", "check that the server runs, and host and port of the url"},
    {NULL, "No such file or directory", "check that the server runs, and the socket directory of the url"},
    {NULL, "could not translate host", "check the host name of the url"},
    {NULL, "hot standby", "connect to the primary, or set target_session_attrs in the url"},
    {NULL, "SSL", "check sslmode and the certificates of the url"},
};

static const char *connect_hint(const char *sqlstate, const char *text)
{
    for (size_t i = 0; i < sizeof HINTS / sizeof HINTS[0]; i++) {
        if (sqlstate[0] != '\0' && HINTS[i].sqlstate != NULL && strcmp(sqlstate, HINTS[i].sqlstate) == 0)
            return HINTS[i].hint;
        if (sqlstate[0] == '\0' && HINTS[i].text != NULL && strstr(text, HINTS[i].text) != NULL)
            return HINTS[i].hint;
    }
    return "check the url of this database and that the server is reachable";
}

/* libpq's text for people, with every secret it might repeat taken out. */
static char *connect_detail(PGconn *pg, const Conninfo *info, char ret_sqlstate[6])
{
    char *text = text_from_connect_error(PQerrorMessage(pg), ret_sqlstate);
    const char *secrets[] = {PQpass(pg), conninfo_get(info, "password"), conninfo_get(info, "sslpassword")};
    for (size_t i = 0; text != NULL && i < sizeof secrets / sizeof secrets[0]; i++)
        if (secrets[i] != NULL && secrets[i][0] != '\0')
            text = text_redact(text, secrets[i]);
    return text;
}

static bool connect_failed(PGconn *pg, const ConnectionTarget *target, const Conninfo *info, bool late,
                           Error *error)
{
    char sqlstate[6] = "";
    char *place = place_of(pg);
    char *detail = connect_detail(pg, info, sqlstate);
    if (place == NULL || detail == NULL) {
        error_memory(error);
    } else {
        error_set(error, ERROR_CONNECT, "cannot connect to database \"%s\" at %s", target->database, place);
        memcpy(error->sqlstate, sqlstate, sizeof sqlstate);
        if (late)
            error_set_detail(error, "no answer within %lld ms", (long long)target->connect_timeout_ms);
        else if (detail[0] != '\0')
            error_set_detail(error, "%s", detail);
        error_set_hint(error, "%s", connect_hint(sqlstate, detail));
    }
    free(place);
    free(detail);
    return false;
}

static bool server_is_supported(const Connection *connection, const char *database, Error *error)
{
    if (PQserverVersion(connection->pg) >= OLDEST_SERVER)
        return true;
    const char *version = PQparameterStatus(connection->pg, "server_version");
    error_set(error, ERROR_CONFIG, "database \"%s\" at %s runs PostgreSQL %s, which is too old", database,
              connection->place, version != NULL ? version : "of an unknown version");
    error_set_hint(error, "upgrade the server to PostgreSQL 14 or newer");
    return false;
}

static Connection *connection_new(PGconn *pg, const ConnectionTarget *target, Error *error)
{
    Connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        PQfinish(pg);
        error_memory(error);
        return NULL;
    }
    connection->pg = pg;
    atomic_init(&connection->cancelled, false);
    pthread_mutex_init(&connection->cancel_mutex, NULL);
    connection->place = place_of(pg);
    connection->cancel = PQgetCancel(pg);
    bool good = connection->place != NULL && connection->cancel != NULL;
    if (!good)
        error_memory(error);
    if (!good || !server_is_supported(connection, target->database, error)) {
        connection_close(connection);
        return NULL;
    }
    return connection;
}

Connection *connection_open(const ConnectionTarget *target, Error *error)
{
    CONNINFO_CLEANUP Conninfo info = {0};
    if (!conninfo_parse(&info, target->database, target->url, target->application_name, error))
        return NULL;
    Deadline deadline = deadline_after_ms(target->connect_timeout_ms);
    PGconn *pg =
        PQconnectStartParams((const char *const *)info.keywords, (const char *const *)info.values, 0);
    if (pg == NULL) {
        error_memory(error);
        return NULL;
    }
    /* Before the server answers: only this verbosity puts the SQLSTATE of a refusal into libpq's text. */
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    bool late = false;
    if (!connect_until(pg, deadline, &late)) {
        connect_failed(pg, target, &info, late, error);
        PQfinish(pg);
        return NULL;
    }
    return connection_new(pg, target, error);
}

void connection_close(Connection *connection)
{
    if (connection == NULL)
        return;
    pthread_mutex_lock(&connection->cancel_mutex);
    PQfreeCancel(connection->cancel);
    connection->cancel = NULL;
    pthread_mutex_unlock(&connection->cancel_mutex);
    pthread_mutex_destroy(&connection->cancel_mutex);
    PQclear(connection->failure);
    PQfinish(connection->pg);
    free(connection->place);
    free(connection);
}

PGconn *connection_pg(Connection *connection)
{
    return connection->pg;
}

const char *connection_place(const Connection *connection)
{
    return connection->place;
}

int connection_server_version(const Connection *connection)
{
    return PQserverVersion(connection->pg);
}

bool connection_has_standard_strings(const Connection *connection)
{
    const char *value = PQparameterStatus(connection->pg, "standard_conforming_strings");
    return value != NULL && strcmp(value, "on") == 0;
}

const PGresult *connection_failure(const Connection *connection)
{
    return connection->failure;
}

void connection_cancel(Connection *connection)
{
    char text[256];
    atomic_store(&connection->cancelled, true);
    pthread_mutex_lock(&connection->cancel_mutex);
    if (connection->cancel != NULL)
        PQcancel(connection->cancel, text, sizeof text);
    pthread_mutex_unlock(&connection->cancel_mutex);
}

/* Reads what an idle server may have said meanwhile; false when it said goodbye. */
static bool socket_is_alive(PGconn *pg)
{
    for (int rounds = 0; rounds < 16; rounds++) {
        struct pollfd ready = {.fd = PQsocket(pg), .events = POLLIN};
        if (poll(&ready, 1, 0) <= 0)
            return true;
        if (PQconsumeInput(pg) == 0 || PQisBusy(pg) || PQstatus(pg) != CONNECTION_OK)
            return false;
        for (PGnotify *notify; (notify = PQnotifies(pg)) != NULL;)
            PQfreemem(notify);
    }
    return false;
}

bool connection_is_reusable(const Connection *connection)
{
    return !connection->broken && !atomic_load(&connection->cancelled) &&
           PQstatus(connection->pg) == CONNECTION_OK && PQtransactionStatus(connection->pg) == PQTRANS_IDLE &&
           PQpipelineStatus(connection->pg) == PQ_PIPELINE_OFF && socket_is_alive(connection->pg);
}

/* What one message has given so far. */
typedef struct Collected {
    ResultVisitor *visit; /* may be NULL */
    void *context;
    CopyReader *reader; /* NULL: nobody expects a COPY */
    PGresult *wanted;   /* the last with rows, else the last one */
    PGresult *failed;   /* the first that failed */
    bool copied_out;
} Collected;

static bool has_rows(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_TUPLES_OK &&
           !(PQnfields(result) == 1 && PQftype(result, 0) == VOID_TYPE);
}

static void collect(Collected *collected, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
    PGresult **keep = good ? &collected->wanted : &collected->failed;
    if (good && collected->visit != NULL)
        collected->visit(collected->context, result);
    if (good && collected->reader != NULL && strncmp(PQcmdStatus(result), "COPY ", 5) == 0)
        collected->reader->done++;
    bool replace = good ? *keep == NULL || has_rows(result) || !has_rows(*keep) : *keep == NULL;
    if (replace) {
        PQclear(*keep);
        *keep = result;
    } else {
        PQclear(result);
    }
}

/* Ends a COPY that the text began; the server answers CopyFail with an error of its own. */
static bool end_copy(PGconn *pg, ExecStatusType status, Collected *collected)
{
    CopyReader *reader = collected->reader;
    if (status != PGRES_COPY_OUT && PQputCopyEnd(pg, "COPY from the client is not possible here") != 1)
        return false;
    if (status == PGRES_COPY_IN)
        return true;
    collected->copied_out = true;
    int length;
    for (char *row = NULL; (length = PQgetCopyData(pg, &row, 0)) > 0; PQfreemem(row))
        if (reader != NULL)
            reader->take_row(reader->context, reader->done, row, (size_t)length);
    return length == -1;
}

static bool is_copy(ExecStatusType status)
{
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static void read_results(Connection *connection, Collected *collected)
{
    PGresult *result;
    while ((result = PQgetResult(connection->pg)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        if (!is_copy(status)) {
            collect(collected, result);
            continue;
        }
        PQclear(result);
        if (!end_copy(connection->pg, status, collected)) {
            connection->broken = PQstatus(connection->pg) == CONNECTION_OK;
            if (connection->broken)
                return;
        }
    }
}

/* Puts the failure of a message into error; its result stays with the connection. */
static bool exec_failed(Connection *connection, PGresult *failed, Error *error)
{
    connection->failure = failed;
    bool lost = connection->broken || PQstatus(connection->pg) != CONNECTION_OK;
    if (failed != NULL && PQresultErrorField(failed, PG_DIAG_SQLSTATE) != NULL) {
        error_from_result(error, failed);
        if (lost)
            error->code = ERROR_CONNECT;
        else if (strcmp(error->sqlstate, "57014") == 0 && atomic_load(&connection->cancelled))
            error->code = ERROR_CANCELLED;
        return false;
    }
    char *text = text_single_line(PQerrorMessage(connection->pg));
    if (lost)
        error_set(error, ERROR_CONNECT, "connection to %s was lost", connection->place);
    else
        error_set(error, ERROR_SYSTEM, "cannot send a statement to %s", connection->place);
    if (text != NULL && text[0] != '\0')
        error_set_detail(error, "%s", text);
    free(text);
    return false;
}

static bool copied_out_failed(Error *error)
{
    error_set(error, ERROR_SERVER, "COPY to the client is not possible here");
    error_set_hint(error, "use SELECT, or COPY to a file on the server");
    return false;
}

static bool finish_message(Connection *connection, bool sent, Collected *collected, PGresult **ret_result,
                           Error *error)
{
    PQclear(connection->failure);
    connection->failure = NULL;
    if (sent) {
        crash_point(CRASH_AFTER_SEND);
        read_results(connection, collected);
        crash_point(CRASH_AFTER_ANSWER);
    }
    bool lost = connection->broken || PQstatus(connection->pg) != CONNECTION_OK;
    bool good = sent && collected->failed == NULL && !lost;
    if (!good)
        exec_failed(connection, collected->failed, error);
    else if (collected->copied_out && collected->reader == NULL)
        good = copied_out_failed(error);
    if (good && ret_result != NULL)
        *ret_result = collected->wanted;
    else
        PQclear(collected->wanted);
    return good;
}

bool connection_exec_each(Connection *connection, const char *sql, ResultVisitor *visit, void *context,
                          Error *error)
{
    Collected collected = {.visit = visit, .context = context};
    crash_point(CRASH_BEFORE_SEND);
    bool sent = !connection->broken && PQsendQuery(connection->pg, sql) == 1;
    return finish_message(connection, sent, &collected, NULL, error);
}

bool connection_exec(Connection *connection, const char *sql, PGresult **ret_result, Error *error)
{
    Collected collected = {0};
    crash_point(CRASH_BEFORE_SEND);
    bool sent = !connection->broken && PQsendQuery(connection->pg, sql) == 1;
    return finish_message(connection, sent, &collected, ret_result, error);
}

bool connection_copy_out(Connection *connection, const char *sql, CopyReader *reader, Error *error)
{
    Collected collected = {.reader = reader};
    reader->done = 0;
    crash_point(CRASH_BEFORE_SEND);
    bool sent = !connection->broken && PQsendQuery(connection->pg, sql) == 1;
    return finish_message(connection, sent, &collected, NULL, error);
}

bool connection_query(Connection *connection, const char *sql, int count, const char *const *values,
                      PGresult **ret_result, Error *error)
{
    Collected collected = {0};
    crash_point(CRASH_BEFORE_SEND);
    bool sent = !connection->broken &&
                PQsendQueryParams(connection->pg, sql, count, NULL, values, NULL, NULL, 0) == 1;
    return finish_message(connection, sent, &collected, ret_result, error);
}

bool connection_take_back(Connection *connection, Error *error)
{
    PGconn *pg = connection->pg;
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    PQsetnonblocking(pg, 0);
    bool lost = PQstatus(pg) != CONNECTION_OK, busy = PQtransactionStatus(pg) == PQTRANS_ACTIVE;
    if (!lost && PQpipelineStatus(pg) != PQ_PIPELINE_OFF) {
        connection->broken = PQexitPipelineMode(pg) != 1;
        busy = true;
    } else if (!lost && busy) {
        ERROR_CLEANUP Error ignored = {0};
        Collected collected = {0};
        bool ended_well = finish_message(connection, true, &collected, NULL, &ignored);
        (void)ended_well;
        lost = PQstatus(pg) != CONNECTION_OK;
    }
    if (lost)
        return error_set(error, ERROR_CONNECT, "connection to %s was lost", connection->place);
    if (busy)
        return error_set(error, ERROR_CALLBACK, "the connection came back with a statement unfinished");
    return true;
}
