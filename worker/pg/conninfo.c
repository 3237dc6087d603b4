#include "worker/pg/conninfo.h"
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

typedef struct Parameter {
    const char *keyword;
    const char *value;
    bool forced; /* wins over the url */
} Parameter;

/* A dead peer is noticed after about 25 s idle or 20 s with data in flight. A role may have
 * default_transaction_read_only without harm, because every writing transaction says READ WRITE: hence
 * "primary", not "read-write". */
static const Parameter PARAMETERS[] = {
    {"client_encoding", "UTF8", true},          {"keepalives", "1", false},
    {"keepalives_idle", "10", false},           {"keepalives_interval", "5", false},
    {"keepalives_count", "3", false},           {"tcp_user_timeout", "20000", false},
    {"target_session_attrs", "primary", false},
};

enum { PARAMETER_COUNT = sizeof PARAMETERS / sizeof PARAMETERS[0] };

static void options_free(PQconninfoOption **options)
{
    PQconninfoFree(*options);
}

void conninfo_clear(Conninfo *info)
{
    for (size_t i = 0; i < info->count; i++) {
        free(info->keywords[i]);
        if (info->values[i] != NULL)
            explicit_bzero(info->values[i], strlen(info->values[i]));
        free(info->values[i]);
    }
    free(info->keywords);
    free(info->values);
    *info = (Conninfo){0};
}

const char *conninfo_get(const Conninfo *info, const char *keyword)
{
    for (size_t i = 0; i < info->count; i++)
        if (strcmp(info->keywords[i], keyword) == 0)
            return info->values[i];
    return NULL;
}

/* There is room: the arrays are made for every known option. */
static bool conninfo_add(Conninfo *info, const char *keyword, const char *value)
{
    info->keywords[info->count] = strdup(keyword);
    info->values[info->count] = strdup(value);
    info->count++;
    return info->keywords[info->count - 1] != NULL && info->values[info->count - 1] != NULL;
}

/* An @ after the user part: libpq would take the rest of a password for a host or database name. */
static bool has_stray_at(const char *text)
{
    const char *start = strstr(text, "://");
    if (strncmp(text, "postgres", 8) != 0 || start == NULL)
        return false;
    const char *rest = start + 3;
    const char *end = strpbrk(rest, "@/");
    if (end != NULL && *end == '@')
        rest = end + 1;
    const char *at = strchr(rest, '@');
    const char *query = strchr(rest, '?');
    return at != NULL && (query == NULL || at < query);
}

static const char *url_problem(const char *text, const PQconninfoOption *options)
{
    if (options == NULL)
        return "is not a valid connection string";
    if (has_stray_at(text))
        return "has an @ outside of its user part";
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (strcmp(option->keyword, "port") == 0 && option->val != NULL &&
            option->val[strspn(option->val, "0123456789,")] != '\0')
            return "has a port that is not a number";
    return NULL;
}

/* Whether the user decided about a parameter, in the url or by libpq's own means. */
static bool is_decided(const Parameter *parameter, const PQconninfoOption *options)
{
    bool attrs = strcmp(parameter->keyword, "target_session_attrs") == 0;
    if (attrs && (getenv("PGTARGETSESSIONATTRS") != NULL || getenv("PGSERVICE") != NULL))
        return true;
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL)
            continue;
        if (strcmp(option->keyword, parameter->keyword) == 0)
            return !parameter->forced;
        if (attrs && strcmp(option->keyword, "service") == 0)
            return true;
    }
    return false;
}

static bool is_forced(const char *keyword, const char *application_name)
{
    if (strcmp(keyword, "application_name") == 0)
        return application_name != NULL;
    for (size_t i = 0; i < PARAMETER_COUNT; i++)
        if (PARAMETERS[i].forced && strcmp(keyword, PARAMETERS[i].keyword) == 0)
            return true;
    return false;
}

static bool conninfo_fill(Conninfo *info, const PQconninfoOption *options, const char *application_name)
{
    size_t known = 0;
    while (options[known].keyword != NULL)
        known++;
    info->keywords = calloc(known + PARAMETER_COUNT + 2, sizeof *info->keywords);
    info->values = calloc(known + PARAMETER_COUNT + 2, sizeof *info->values);
    if (info->keywords == NULL || info->values == NULL)
        return false;
    bool good = true;
    for (const PQconninfoOption *option = options; good && option->keyword != NULL; option++)
        if (option->val != NULL && !is_forced(option->keyword, application_name))
            good = conninfo_add(info, option->keyword, option->val);
    for (size_t i = 0; good && i < PARAMETER_COUNT; i++)
        if (!is_decided(&PARAMETERS[i], options))
            good = conninfo_add(info, PARAMETERS[i].keyword, PARAMETERS[i].value);
    return good && (application_name == NULL || conninfo_add(info, "application_name", application_name));
}

bool conninfo_parse(Conninfo *ret_info, const char *database, const ConnectionString *url,
                    const char *application_name, Error *error)
{
    const char *text = connection_string_reveal(url);
    char *quoting = NULL; /* may quote the password: freed unread */
    __attribute__((cleanup(options_free))) PQconninfoOption *options = PQconninfoParse(text, &quoting);
    PQfreemem(quoting);
    const char *problem = url_problem(text, options);
    if (problem != NULL) {
        error_set(error, ERROR_CONFIG, "the url of database \"%s\" %s", database, problem);
        error_set_hint(error, "write postgresql://user@host:port/dbname with special characters "
                              "percent-encoded (@ is %%40, / is %%2F), or host=... dbname=... pairs");
        return false;
    }
    CONNINFO_CLEANUP Conninfo info = {0};
    if (!conninfo_fill(&info, options, application_name))
        return error_memory(error);
    *ret_info = info;
    info = (Conninfo){0};
    return true;
}

bool conninfo_reveals(const ConnectionString *url, const char *text)
{
    const char *whole = connection_string_reveal(url);
    if (whole[0] != '\0' && strstr(text, whole) != NULL)
        return true;
    __attribute__((cleanup(options_free))) PQconninfoOption *options = PQconninfoParse(whole, NULL);
    if (options == NULL)
        return true;
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (strcmp(option->dispchar, "*") == 0 && option->val != NULL && option->val[0] != '\0' &&
            strcmp(option->val, text) == 0)
            return true;
    return false;
}
