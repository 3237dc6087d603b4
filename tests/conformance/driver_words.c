#include "tests/conformance/driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The other implementation passes on what Node says of sockets and files, or names settings of its own, and
 * its cases hold those words. Ours say the same in the library's own words, with the system's in `detail`; so
 * that texts of the server, which must be equal, are compared at all, the others are put into theirs here. */

/* "... at 127.0.0.1:5432/db": the place without its database. */
static char *place_of(const char *message)
{
    const char *at = strstr(message, " at ");
    if (at == NULL)
        return NULL;
    at += strlen(" at ");
    return strndup(at, strcspn(at, "/ ,\n"));
}

static char *refused(const char *message)
{
    char *place = place_of(message), *words = NULL;
    if (place == NULL || asprintf(&words, "connect ECONNREFUSED %s", place) < 0)
        words = NULL;
    free(place);
    return words;
}

/* The folder is the rest of the message. */
static char *no_folder(const char *message)
{
    const char *folder = strchr(message, ':');
    char *words = NULL;
    if (folder == NULL ||
        asprintf(&words, "ENOENT: no such file or directory, scandir '%s'", folder + strlen(": ")) < 0)
        return NULL;
    return words;
}

static char *no_shared(const char *message)
{
    (void)message;
    return strdup("Shared schema not configured. Set schemas.shared in tenant config.");
}

static const struct {
    const char *begin; /* of the message */
    const char *cause; /* in the detail, of those that have one */
    const char *code;  /* NULL: it has none */
    char *(*words)(const char *message);
} WORDS[] = {
    {"cannot connect to ", "Connection refused", "ECONNREFUSED", refused},
    {"migrations folder not found: ", "", "ENOENT", no_folder},
    {"no shared schema is configured", "", NULL, no_shared},
};

char *node_words(const char *message, const char *detail, const char **ret_code)
{
    for (size_t i = 0; message != NULL && i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strncmp(message, WORDS[i].begin, strlen(WORDS[i].begin)) != 0)
            continue;
        if (detail != NULL && strstr(detail, WORDS[i].cause) == NULL)
            continue;
        char *words = WORDS[i].words(message);
        if (words != NULL)
            *ret_code = WORDS[i].code;
        return words;
    }
    return NULL;
}
