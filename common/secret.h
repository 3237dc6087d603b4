/* ConnectionString: how to reach one PostgreSQL, with whatever secret is in it.
 *
 * Opaque on purpose: the only printer gives "<redacted>". worker/pg reads the text to connect and may print
 * host:port/db; nothing else looks inside. Owned text is overwritten before it is freed.
 */
#pragma once
#include "common/error.h"

typedef struct ConnectionString ConnectionString;

ConnectionString *connection_string_new(const char *text, Error *error) MUST_CHECK;
ConnectionString *connection_string_copy(const ConnectionString *secret, Error *error) MUST_CHECK;
void connection_string_free(ConnectionString *secret);

/* Always "<redacted>". */
const char *connection_string_print(const ConnectionString *secret);

/* The text itself. For worker/pg alone; tests/check-layers refuses it elsewhere. */
const char *connection_string_reveal(const ConnectionString *secret);

/* For a program's main(): no core file, which would hold every secret of the process, unless somebody asks
 * the running process for one (prlimit --core). */
void secret_leave_no_core(void);
