/* keygen: makes the key pair of a coordinator or worker. */
#include "common/utf8.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/context.h"
#include "coordinator/report.h"
#include "proto/peers.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct KeyLine {
    char *role;
    char *name;
    char *public_key;
    char *key_file;
} KeyLine;

#define FIELD(text, member)                                               \
    {                                                                     \
        (text), FIELD_TEXT, FIELD_ALWAYS, offsetof(KeyLine, member), NULL \
    }

static const RecordField FIELDS[] = {
    FIELD("role", role),
    FIELD("name", name),
    FIELD("publicKey", public_key),
    FIELD("keyFile", key_file),
};

static const RecordType KEY_LINE = RECORD_TYPE("KeyLine", KeyLine, FIELDS);

/* A name stands in a line of words. */
static bool check_name(const char *name, Error *error)
{
    if (name[0] != '\0' && name[0] != '#' && strlen(name) <= 255 && strpbrk(name, " \t") == NULL &&
        utf8_valid_text(name) && !utf8_has_control(name))
        return true;
    return error_set(error, ERROR_USAGE, "a peer's name is one word of at most 255 bytes");
}

static bool make_key(const CliArguments *arguments, CurveKey *key, Error *error)
{
    const char *path = option_value(arguments, "file");
    if (option_given(arguments, "show"))
        return curve_key_read(path, key, error);
    return curve_key_generate(key, error) && curve_key_write(key, path, error);
}

static bool print_line(const CliArguments *arguments, const KeyLine *line, Error *error)
{
    if (option_given(arguments, "json"))
        return report_record_json(stdout, &KEY_LINE, line, error);
    printf("%s %s %s\n", line->role, line->name, line->public_key);
    return true;
}

int cli_keygen(const CliArguments *arguments)
{
    ERROR_CLEANUP Error error = {0};
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const char *name = option_given(arguments, "name") ? option_value(arguments, "name") : host;
    const char *role_name = option_given(arguments, "role") ? option_value(arguments, "role") : "worker";
    PeerRole role;
    CurveKey key;
    bool good = check_name(name, &error);
    if (good && !peer_role_from_name(role_name, &role))
        good = error_set(&error, ERROR_USAGE, "--role is coordinator or worker");
    if (!good || !make_key(arguments, &key, &error))
        return cli_failed(arguments, &error);
    KeyLine line = {(char *)role_name, (char *)name, key.public_key, (char *)option_value(arguments, "file")};
    good = print_line(arguments, &line, &error);
    curve_key_wipe(&key);
    return good ? EXIT_DONE : cli_failed(arguments, &error);
}
