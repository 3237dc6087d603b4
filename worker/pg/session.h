/* Session: the one SQL text that leaves a server session as a new one, whoever used it before.
 *
 * It is appended to the same simple-query message that ends a transaction, because behind a
 * transaction-pooling PgBouncer a separate message may reach another server, and because DISCARD ALL is
 * refused inside a multi-statement message (SQLSTATE 25001).
 */
#pragma once

/* "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; RESET ROLE; CLOSE ALL; DEALLOCATE ALL; UNLISTEN *; SELECT
 * pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES": to run right after COMMIT or ROLLBACK. */
extern const char SESSION_TAIL[];
