#include "worker/pg/session.h"
#include <stdio.h>

const char SESSION_TAIL[] =
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; RESET ROLE; CLOSE ALL; DEALLOCATE ALL; "
    "UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; "
    "DISCARD SEQUENCES";

/* Settings that every writing transaction has, beside search_path and the two timeouts that a run configures.
 */
static const struct {
    const char *name, *value;
    int since; /* server version */
} SETTINGS[] = {
    {"idle_in_transaction_session_timeout", "'60s'", 0},  /* a stalled worker loses its locks */
    {"client_connection_check_interval", "'5s'", 140000}, /* a dead one even within a statement */
    {"standard_conforming_strings", "on", 0},             /* as scripts are cut */
};

size_t session_append_begin_write(Buffer *sql, const SessionSettings *settings)
{
    size_t results = 4;
    buffer_appendf(sql,
                   "BEGIN ISOLATION LEVEL %s READ WRITE;\n"
                   "SET LOCAL search_path TO %s;\n"
                   "SET LOCAL lock_timeout TO %lld;\n"
                   "SET LOCAL statement_timeout TO %lld;\n",
                   settings->one_snapshot ? "REPEATABLE READ" : "READ COMMITTED", settings->search_path,
                   (long long)settings->lock_timeout_ms, (long long)settings->statement_timeout_ms);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++)
        if (settings->server_version >= SETTINGS[i].since) {
            buffer_appendf(sql, "SET LOCAL %s TO %s;\n", SETTINGS[i].name, SETTINGS[i].value);
            results++;
        }
    if (settings->patient) {
        buffer_append_text(sql, "SET LOCAL idle_in_transaction_session_timeout TO 0;\n");
        results++;
    }
    return results;
}

/* A cancel request that comes late may hit this very message, so it is sent again. */
void session_roll_back(Connection *connection)
{
    static const char ROLLBACK[] = "ROLLBACK; ";
    char sql[512];
    snprintf(sql, sizeof sql, "%s%s", ROLLBACK, SESSION_TAIL);
    for (int tries = 0; tries < 3; tries++) {
        Error error ERROR_CLEANUP = {0};
        if (PQstatus(connection_pg(connection)) != CONNECTION_OK ||
            connection_exec(connection, sql, NULL, &error))
            return;
    }
    Error error ERROR_CLEANUP = {0};
    bool spoiled = connection_exec(connection, "BEGIN", NULL, &error);
    (void)spoiled;
}
