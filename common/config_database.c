#include "common/buffer.h"
#include "common/config_internal.h"
#include <stdlib.h>
#include <string.h>

enum { DATABASE_NAME_MAX = 63, CONNECTIONS_MAX = 10000, PORT_MAX = 65535 };

bool config_append_database(Config *config, const char *name, const char *url, int64_t max_connections,
                            Error *error)
{
    size_t size = (config->database_count + 1) * sizeof(*config->databases);
    DatabaseConfig *grown = realloc(config->databases, size);
    if (grown == NULL)
        return error_memory(error);
    config->databases = grown;
    DatabaseConfig database = {.name = strdup(name), .max_connections = max_connections};
    if (database.name == NULL)
        return error_memory(error);
    if (url != NULL) {
        database.url = connection_string_new(url, error);
        if (database.url == NULL) {
            free(database.name);
            return false;
        }
    }
    config->databases[config->database_count++] = database;
    return true;
}

static bool check_name(const Config *config, const char *name, Error *error)
{
    static const char ALLOWED[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    char shown[PRINTABLE_SIZE];
    size_t length = strlen(name);
    if (length == 0 || length > DATABASE_NAME_MAX || strspn(name, ALLOWED) != length)
        return error_set(error, ERROR_CONFIG, "%s must be 1 to %d of the characters A-Z a-z 0-9 _ . -",
                         printable_value(name, shown), DATABASE_NAME_MAX);
    for (size_t i = 0; i < config->database_count; i++) {
        if (strcmp(config->databases[i].name, name) == 0)
            return error_set(error, ERROR_CONFIG, "%s is the name of two databases",
                             printable_value(name, shown));
    }
    return true;
}

/* The members of an entry in one table: what they are called, where they are, and whether libpq knows them.
 */
typedef struct Member {
    const char *key;
    size_t offset;
    bool conninfo;
} Member;

static const Member MEMBERS[] = {
    {"service", offsetof(DatabaseEntry, service), true},
    {"host", offsetof(DatabaseEntry, host), true},
    {"port", offsetof(DatabaseEntry, port), true},
    {"dbname", offsetof(DatabaseEntry, dbname), true},
    {"user", offsetof(DatabaseEntry, user), true},
    {"password", offsetof(DatabaseEntry, password), true},
    {"name", offsetof(DatabaseEntry, name), false},
    {"url", offsetof(DatabaseEntry, url), false},
    {"max_connections", offsetof(DatabaseEntry, max_connections), false},
};
enum { MEMBER_COUNT = sizeof(MEMBERS) / sizeof(MEMBERS[0]) };

static char **member_of(DatabaseEntry *entry, const Member *member)
{
    return (char **)(void *)((char *)entry + member->offset);
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void entry_clear(DatabaseEntry *entry)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        wipe(*member_of(entry, &MEMBERS[i]));
    *entry = (DatabaseEntry){0};
}

static bool blame(const YamlPlaces *places, const YamlPlace *place, size_t index, const char *key,
                  Error *error)
{
    const YamlPlace *child = yaml_child(places, place, key);
    error_prefix(error, "databases[%zu].%s", index, key);
    return yaml_blame(places, child != NULL ? child : place, error);
}

/* Copies what the file says with variables filled in; nulls count as absent. */
static bool expand_entry(DatabaseEntry *target, const DatabaseEntry *source, size_t index,
                         const YamlPlaces *places, const YamlPlace *place, Error *error)
{
    DatabaseEntry given = *source;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        const Member *member = &MEMBERS[i];
        const char *text = *member_of(&given, member);
        if (text == NULL || yaml_is_null(yaml_child(places, place, member->key)))
            continue;
        char *expanded = expand_variables(text, error);
        if (expanded == NULL)
            return blame(places, place, index, member->key, error);
        *member_of(target, member) = expanded;
    }
    return true;
}

/* key='value' as libpq's conninfo wants it quoted. */
static void append_conninfo(Buffer *conninfo, const char *key, const char *value)
{
    buffer_appendf(conninfo, "%s%s='", conninfo->length > 0 ? " " : "", key);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\')
            buffer_append_char(conninfo, '\\');
        buffer_append_char(conninfo, *c);
    }
    buffer_append_char(conninfo, '\'');
}

/* *ret_key is the member to blame on failure. */
static bool build_url(DatabaseEntry *entry, char **ret_url, const char **ret_key, Error *error)
{
    Buffer conninfo = {0};
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        const Member *member = &MEMBERS[i];
        const char *value = *member_of(entry, member);
        if (value == NULL || !member->conninfo)
            continue;
        if (entry->url != NULL) {
            *ret_key = member->key;
            return error_set(error, ERROR_CONFIG, "excluded by url, which says it all");
        }
        append_conninfo(&conninfo, member->key, value);
    }
    *ret_key = "url";
    if (entry->url != NULL && entry->url[strspn(entry->url, " \t\r\n")] == '\0')
        return error_set(error, ERROR_CONFIG, "must not be empty"); /* libpq would guess a server */
    if (conninfo.data == NULL && entry->url == NULL) {
        *ret_url = NULL;
        return true;
    }
    char *url = entry->url != NULL ? strdup(entry->url) : buffer_take(&conninfo);
    if (url == NULL)
        return error_memory(error);
    *ret_url = url;
    return true;
}

static bool check_number(const char *text, int64_t max, int64_t *ret_value, Error *error)
{
    return text == NULL || parse_integer(text, 1, max, NULL, ret_value, error);
}

/* Like build_url(), for the whole entry. */
static bool check_entry(const Config *config, DatabaseEntry *entry, char **ret_url,
                        int64_t *ret_max_connections, const char **ret_key, Error *error)
{
    int64_t port;
    *ret_key = "name";
    if (entry->name == NULL)
        return error_set(error, ERROR_CONFIG, "is missing; every database needs a name");
    if (!check_name(config, entry->name, error))
        return false;
    *ret_key = "max_connections";
    if (!check_number(entry->max_connections, CONNECTIONS_MAX, ret_max_connections, error))
        return false;
    *ret_key = "port";
    return check_number(entry->port, PORT_MAX, &port, error) && build_url(entry, ret_url, ret_key, error);
}

static const char *member_text(DatabaseEntry entry, const char *key)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (strcmp(MEMBERS[i].key, key) == 0)
            return *member_of(&entry, &MEMBERS[i]);
    }
    return NULL;
}

bool config_add_database(Config *config, const DatabaseEntry *source, size_t index, const YamlPlaces *places,
                         const YamlPlace *place, Error *error)
{
    DatabaseEntry entry = {0};
    char *url = NULL;
    const char *key = NULL;
    int64_t max_connections = DATABASE_CONNECTIONS;
    bool good = expand_entry(&entry, source, index, places, place, error);
    if (good && !check_entry(config, &entry, &url, &max_connections, &key, error)) {
        const char *expanded = member_text(entry, key);
        if (expanded != NULL)
            hide_expansion(member_text(*source, key), expanded, error);
        good = blame(places, place, index, key, error);
    }
    good = good && config_append_database(config, entry.name, url, max_connections, error);
    wipe(url);
    entry_clear(&entry);
    return good;
}

static bool add_choice(Config *config, const DatabaseChoice *choice, Error *error)
{
    const char *name = choice->name != NULL ? choice->name : "main";
    int64_t connections = choice->max_connections != 0 ? choice->max_connections : DATABASE_CONNECTIONS;
    if (!check_name(config, name, error))
        return false;
    if (connections < 1 || connections > CONNECTIONS_MAX)
        return error_set(error, ERROR_CONFIG, "database \"%s\": max_connections must be 1 to %d", name,
                         CONNECTIONS_MAX);
    if (choice->url != NULL && choice->url[strspn(choice->url, " \t\r\n")] == '\0')
        return error_set(error, ERROR_CONFIG, "database \"%s\": url must not be empty", name);
    return config_append_database(config, name, choice->url, connections, error);
}

bool config_set_databases(Config *config, const DatabaseChoice *choices, size_t count, Error *error)
{
    while (config->database_count > 0) {
        DatabaseConfig *database = &config->databases[--config->database_count];
        free(database->name);
        connection_string_free(database->url);
    }
    for (size_t i = 0; i < count; i++)
        if (!add_choice(config, &choices[i], error)) {
            if (error->code == ERROR_CONFIG)
                error_prefix(error, "databases[%zu]", i);
            return false;
        }
    return true;
}
