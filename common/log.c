#include "common/log.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/utf8.h"
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;   /* in JSON */
    const char *label;  /* in text */
    const char *colour; /* on a terminal; NULL = none */
} LEVELS[] = {
    [LOG_ERROR] = {"error", "ERROR", "\033[31m"},
    [LOG_WARNING] = {"warning", "WARN ", "\033[33m"},
    [LOG_INFO] = {"info", "INFO ", NULL},
    [LOG_DEBUG] = {"debug", "DEBUG", "\033[2m"},
};

static atomic_int threshold = -1; /* nothing: a program that embeds the library owns its stderr */
static atomic_bool as_json;
static atomic_bool coloured;
static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER; /* only matters when a write is cut short */

void log_configure(LogLevel level, bool json)
{
    const char *no_color = getenv("NO_COLOR");
    atomic_store(&threshold, (int)level);
    atomic_store(&as_json, json);
    atomic_store(&coloured, !json && isatty(STDERR_FILENO) && (no_color == NULL || no_color[0] == '\0'));
}

bool log_enabled(LogLevel level)
{
    return (int)level <= atomic_load(&threshold);
}

static void write_out(const char *bytes, size_t length)
{
    pthread_mutex_lock(&output_lock);
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            break; /* there is nowhere left to complain to */
        bytes += written;
        length -= (size_t)written;
    }
    pthread_mutex_unlock(&output_lock);
}

/* Texts come from servers and files: a newline must not look like another entry, an escape sequence must not
 * reach the terminal. Continuation lines start with a tab, as in the server's own log. */
static void append_safe(Buffer *line, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n')
            buffer_append_text(line, "\n\t");
        else if ((c < 0x20 && c != '\t') || c == 0x7F)
            buffer_appendf(line, "\\x%02x", c);
        else
            buffer_append_char(line, *text);
    }
}

static void append_line(Buffer *entry, LogLevel level, const char *timestamp, const char *context,
                        const char *label, const char *text)
{
    if (text == NULL)
        return;
    const char *colour = atomic_load(&coloured) ? LEVELS[level].colour : NULL;
    buffer_appendf(entry, "%s %s%s%s ", timestamp, colour != NULL ? colour : "", LEVELS[level].label,
                   colour != NULL ? "\033[0m" : "");
    if (context != NULL && context[0] != '\0') {
        append_safe(entry, context);
        buffer_append_text(entry, ": ");
    }
    buffer_append_text(entry, label);
    append_safe(entry, text);
    buffer_append_char(entry, '\n');
}

/* Where the error happened, in front of what happened. */
static void append_place(Buffer *text, const Error *error)
{
    if (error->tenant != NULL)
        buffer_appendf(text, "tenant \"%s\": ", error->tenant);
    if (error->migration == NULL)
        return;
    buffer_appendf(text, "migration %s", error->migration);
    if (error->line > 0)
        buffer_appendf(text, ":%lld", (long long)error->line);
    if (error->line > 0 && error->column > 0)
        buffer_appendf(text, ":%lld", (long long)error->column);
    buffer_append_text(text, ": ");
}

static const char *error_text(const Error *error)
{
    return error->message != NULL ? error->message : error_class(error->code)->doc;
}

static void write_text(LogLevel level, const char *context, const char *message, const Error *error)
{
    char timestamp[32];
    clock_timestamp(timestamp);
    BUFFER_CLEANUP Buffer entry = {0};
    if (error == NULL) {
        append_line(&entry, level, timestamp, context, "", message);
    } else {
        BUFFER_CLEANUP Buffer text = {0};
        append_place(&text, error);
        buffer_append_text(&text, error_text(error));
        if (error->sqlstate[0] != '\0')
            buffer_appendf(&text, " (SQLSTATE %s)", error->sqlstate);
        append_line(&entry, level, timestamp, context, "", buffer_text(&text));
        append_line(&entry, level, timestamp, context, "DETAIL: ", error->detail);
        append_line(&entry, level, timestamp, context, "HINT: ", error->hint);
    }
    write_out(buffer_text(&entry), entry.length);
}

/* Sets key to text unless text is NULL. */
static void set_text(json_t *object, const char *key, const char *text)
{
    if (text == NULL)
        return;
    char *repaired = utf8_repair(text);
    if (repaired != NULL)
        json_object_set_new(object, key, json_string(repaired));
    free(repaired);
}

static void set_number(json_t *object, const char *key, int64_t number)
{
    if (number > 0)
        json_object_set_new(object, key, json_integer(number));
}

/* "run=ab12 worker=w3" becomes two members; words without a value stay together as "context". What is there
 * already stays, and what comes later, such as the message, wins. */
static void set_context(json_t *object, const char *context)
{
    char *words = strdup(context);
    BUFFER_CLEANUP Buffer others = {0};
    char *rest = words;
    for (char *word; rest != NULL && (word = strsep(&rest, " ")) != NULL;) {
        char *value = strchr(word, '=');
        if (value != NULL && value != word) {
            *value = '\0';
            if (json_object_get(object, word) == NULL)
                set_text(object, word, value + 1);
        } else if (word[0] != '\0') {
            buffer_appendf(&others, "%s%s", others.length > 0 ? " " : "", word);
        }
    }
    if (others.length > 0)
        set_text(object, "context", buffer_text(&others));
    free(words);
}

static void set_error(json_t *object, const Error *error)
{
    set_text(object, "message", error_text(error));
    set_text(object, "detail", error->detail);
    set_text(object, "hint", error->hint);
    set_text(object, "sqlstate", error->sqlstate[0] != '\0' ? error->sqlstate : NULL);
    set_text(object, "code", error_class(error->code)->name);
    set_text(object, "tenant", error->tenant);
    set_text(object, "migration", error->migration);
    set_number(object, "line", error->line);
    set_number(object, "column", error->column);
}

static void write_json(LogLevel level, const char *context, const char *message, const Error *error)
{
    char timestamp[32];
    clock_timestamp(timestamp);
    json_t *object = json_object();
    if (object == NULL)
        return;
    set_text(object, "ts", timestamp);
    set_text(object, "level", LEVELS[level].name);
    if (context != NULL)
        set_context(object, context);
    if (error != NULL)
        set_error(object, error);
    else
        set_text(object, "message", message);
    char *line = json_text(object, JSON_COMPACT);
    json_decref(object);
    if (line == NULL)
        return;
    size_t length = strlen(line);
    line[length] = '\n'; /* in the NUL's place, so that the entry is one write */
    write_out(line, length + 1);
    free(line);
}

static void write_entry(LogLevel level, const char *context, const char *message, const Error *error)
{
    if (atomic_load(&as_json))
        write_json(level, context, message, error);
    else
        write_text(level, context, message, error);
}

void log_message(LogLevel level, const char *context, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    int saved = errno;
    BUFFER_CLEANUP Buffer message = {0};
    va_list args;
    va_start(args, format);
    buffer_append_vf(&message, format, args);
    va_end(args);
    write_entry(level, context, buffer_text(&message), NULL);
    errno = saved;
}

void log_error_value(LogLevel level, const char *context, const Error *error)
{
    if (!log_enabled(level))
        return;
    int saved = errno;
    write_entry(level, context, NULL, error);
    errno = saved;
}

bool log_budget_take(LogBudget *budget, const char *context)
{
    enum { LINES = 20, MINUTE_MS = 60000 };
    int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
    if (budget->lines == 0 || now_ms - budget->since_ms > MINUTE_MS)
        *budget = (LogBudget){.since_ms = now_ms};
    if (budget->lines > LINES)
        return false;
    if (++budget->lines <= LINES)
        return true;
    log_message(LOG_WARNING, context, "there is more to say, but not before a minute has passed");
    return false;
}
