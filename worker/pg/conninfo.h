/* Conninfo: what a connection string says, checked and completed for PQconnectStartParams().
 *
 * libpq quotes the string in its parse errors, and a password with an unescaped @ or / ends up in what it
 * takes for the host, port or database name; so every complaint here is worded by us and quotes nothing.
 */
#pragma once
#include "common/error.h"
#include "common/secret.h"
#include <stddef.h>

typedef struct Conninfo {
    char **keywords; /* NULL-terminated, as are the values; all owned */
    char **values;
    size_t count;
} Conninfo;

/* Parses url (a URI or keyword=value pairs) and adds our own parameters: application_name, client_encoding,
 * keepalives, tcp_user_timeout and target_session_attrs, the last three unless the url has them. `database`
 * is the configured name, for messages. ERROR_CONFIG when the string is not usable. */
bool conninfo_parse(Conninfo *ret_info, const char *database, const ConnectionString *url,
                    const char *application_name, Error *error) MUST_CHECK;

/* Whether a text holds this connection string or is a password in it, so that nobody else may see it. True
 * also when that cannot be told. */
bool conninfo_reveals(const ConnectionString *url, const char *text);

/* The value of a keyword, or NULL. */
const char *conninfo_get(const Conninfo *info, const char *keyword);
void conninfo_clear(Conninfo *info);

#define CONNINFO_CLEANUP __attribute__((cleanup(conninfo_clear)))
