#include "common/secret.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct ConnectionString {
    char *text;
};

ConnectionString *connection_string_new(const char *text, Error *error)
{
    ConnectionString *secret = calloc(1, sizeof(*secret));
    if (secret == NULL || (secret->text = strdup(text)) == NULL) {
        error_memory(error);
        connection_string_free(secret);
        return NULL;
    }
    return secret;
}

ConnectionString *connection_string_copy(const ConnectionString *secret, Error *error)
{
    return connection_string_new(secret->text, error);
}

void connection_string_free(ConnectionString *secret)
{
    if (secret == NULL)
        return;
    if (secret->text != NULL)
        explicit_bzero(secret->text, strlen(secret->text));
    free(secret->text);
    free(secret);
}

const char *connection_string_print(const ConnectionString *secret)
{
    (void)secret;
    return "<redacted>";
}

const char *connection_string_reveal(const ConnectionString *secret)
{
    return secret->text;
}

void secret_leave_no_core(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit); /* lowering is always allowed */
}
