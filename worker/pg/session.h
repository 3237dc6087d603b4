/* Session: how a writing transaction begins, and the one SQL text that leaves a server session as a new one,
 * whoever used it before.
 *
 * It is appended to the same simple-query message that ends a transaction, because behind a
 * transaction-pooling PgBouncer a separate message may reach another server, and because DISCARD ALL is
 * refused inside a multi-statement message (SQLSTATE 25001).
 */
#pragma once
#include "common/buffer.h"
#include "worker/pg/connection.h"

/* "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; RESET ROLE; CLOSE ALL; DEALLOCATE ALL; UNLISTEN *; SELECT
 * pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES": to run right after COMMIT or ROLLBACK. */
extern const char SESSION_TAIL[];

/* What a writing transaction sets for itself alone. */
typedef struct SessionSettings {
    const char *search_path; /* as SQL: names with commas between */
    int64_t lock_timeout_ms;
    int64_t statement_timeout_ms; /* 0 = none */
    int server_version;           /* as PQserverVersion() */
    bool one_snapshot;            /* sees all tables as of its first query: REPEATABLE READ */
    bool patient;                 /* no limit to how long the transaction may be idle */
} SessionSettings;

/* "BEGIN ...;" and a SET LOCAL for each setting, which costs the server a tenth of set_config() in a query.
 * Returns how many statements these are. */
size_t session_append_begin_write(Buffer *sql, const SessionSettings *settings);

/* ROLLBACK and SESSION_TAIL, after an error: session-level locks and prepared statements are still there.
 * Leaves a session that cannot be cleaned inside a transaction, which nobody can reuse. */
void session_roll_back(Connection *connection);
