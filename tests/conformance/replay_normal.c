#include "tests/conformance/replay.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double RECENT_MS = 600000;

bool is_recent_ms(double ms)
{
    return fabs(ms - (double)time(NULL) * 1000) < RECENT_MS;
}

bool is_recent(const char *timestamp)
{
    struct tm parts = {0};
    const char *rest = strptime(timestamp, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == NULL)
        return false;
    rest += *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
    int hours = 0, minutes = 0;
    if (*rest == '+' || *rest == '-')
        sscanf(rest + 1, "%2d:%2d", &hours, &minutes);
    double offset_s = (hours * 60.0 + minutes) * (*rest == '-' ? -60 : 60);
    return is_recent_ms(((double)timegm(&parts) - offset_s) * 1000);
}

/* --- texts --- */

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* What stands for the beginning of a text, when that is something that changes: the length taken, or 0. */
typedef size_t Match(const char *text, char ret_substitute[64]);

/* 2026-01-31T12:00:00.000Z, or with +00:00 */
static size_t match_timestamp(const char *text, char *ret_substitute)
{
    static const char SHAPE[] = "dddd-dd-ddTdd:dd:dd.ddd";
    size_t length = strlen(SHAPE);
    for (size_t i = 0; i < length; i++)
        if (SHAPE[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != SHAPE[i])
            return 0;
    snprintf(ret_substitute, 64, "<ts>");
    if (text[length] == 'Z')
        return length + 1;
    bool zone = text[length] == '+' && digits(text + length + 1) == 2 && text[length + 3] == ':' &&
                digits(text + length + 4) == 2;
    return zone ? length + 6 : 0;
}

/* Milliseconds since 1970, of about now. */
static size_t match_epoch(const char *text, char *ret_substitute)
{
    if (digits(text) != 13 || isalpha((unsigned char)text[13]) || !is_recent_ms(strtod(text, NULL)))
        return 0;
    snprintf(ret_substitute, 64, "<epoch_ms>");
    return 13;
}

/* 2200_16385_1_not_null: a constraint that only information_schema knows, named by object ids. */
static size_t match_not_null(const char *text, char *ret_substitute)
{
    size_t first = digits(text);
    if (first < 4 || text[first] != '_')
        return 0;
    size_t second = digits(text + first + 1);
    const char *column = text + first + 1 + second + 1;
    if (second < 4 || column[-1] != '_')
        return 0;
    size_t third = digits(column);
    if (third == 0 || strncmp(column + third, "_not_null", 9) != 0)
        return 0;
    snprintf(ret_substitute, 64, "<nsoid>_<reloid>_%.*s_not_null", (int)third, column);
    return (size_t)(column - text) + third + 9;
}

/* 12ms, 1.5ms */
static size_t match_duration(const char *text, char *ret_substitute)
{
    size_t length = digits(text);
    if (length == 0)
        return 0;
    if (text[length] == '.' && digits(text + length + 1) > 0)
        length += 1 + digits(text + length + 1);
    if (strncmp(text + length, "ms", 2) != 0 || isalnum((unsigned char)text[length + 2]))
        return 0;
    snprintf(ret_substitute, 64, "<ms>ms");
    return length + 2;
}

static size_t match_version(const char *text, char *ret_substitute)
{
    static const char NAME[] = "PostgreSQL ";
    size_t length = strlen(NAME);
    if (strncmp(text, NAME, length) != 0 || digits(text + length) != 2)
        return 0;
    snprintf(ret_substitute, 64, "PostgreSQL <version>");
    length += 2;
    while (text[length] == '.' && digits(text + length + 1) > 0)
        length += 1 + digits(text + length + 1);
    return length;
}

static Match *const MATCHES[] = {match_timestamp, match_epoch, match_not_null, match_duration, match_version};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t match_any(const char *text, char *ret_substitute)
{
    size_t length = 0;
    for (size_t i = 0; length == 0 && i < sizeof MATCHES / sizeof MATCHES[0]; i++)
        length = MATCHES[i](text, ret_substitute);
    return length;
}

static json_t *normal_text(const char *text, const char *folder)
{
    char *result = NULL;
    size_t size = 0, folder_length = strlen(folder);
    FILE *file = open_memstream(&result, &size);
    if (file == NULL)
        abort();
    for (const char *at = text; *at != '\0';) {
        char substitute[64] = "<dir>";
        size_t length = strncmp(at, folder, folder_length) == 0 ? folder_length : 0;
        if (length == 0 && (at == text || !is_word(at[-1])))
            length = match_any(at, substitute);
        if (length > 0)
            fputs(substitute, file);
        else
            fputc(*at, file);
        at += length > 0 ? length : 1;
    }
    fclose(file);
    json_t *value = json_string(result);
    free(result);
    return value;
}

/* --- values under keys that always change --- */

static bool is_one_of(const char *key, const char *const *names)
{
    while (*names != NULL && strcmp(*names, key) != 0)
        names++;
    return *names != NULL;
}

static json_t *normal_of_key(const json_t *value, const char *key, const char *folder)
{
    static const char *const DURATIONS[] = {
        "durationMs", "totalTimeMs",     "responseTimeMs",         "averageMs",
        "latencyMs",  "totalDurationMs", "sharedDbResponseTimeMs", NULL};
    static const char *const TIMES[] = {"timestamp", "introspectedAt", "lastAccessedAt", "collectedAt", NULL};
    if (json_is_string(value) && is_one_of(key, TIMES))
        return json_string("<ts>");
    if (json_is_string(value) && strcmp(key, "version") == 0)
        return json_string("<version>");
    if (json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value))
        return normal_text(json_string_value(value), folder);
    if (json_is_number(value) && is_one_of(key, DURATIONS))
        return json_string("<ms>");
    if (json_is_array(value)) {
        json_t *array = json_array(), *item;
        size_t index;
        json_array_foreach(value, index, item)
        {
            json_array_append_new(array, normal_of_key(item, key, folder));
        }
        return array;
    }
    if (!json_is_object(value))
        return json_incref((json_t *)value);
    json_t *object = json_object(), *item;
    const char *name;
    json_object_foreach((json_t *)value, name, item)
    {
        json_object_set_new(object, name, normal_of_key(item, name, folder));
    }
    return object;
}

json_t *normal_form(const json_t *value, const char *folder)
{
    return normal_of_key(value, "", folder);
}
