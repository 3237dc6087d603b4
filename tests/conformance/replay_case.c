#include "tests/conformance/replay.h"
#include "tests/support/process.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { LIBRARY_TIMEOUT_MS = 30000, COMMAND_TIMEOUT_MS = 20000, MAX_WORDS = 32 };

static const char DATABASE[] = "conformance_case";
static const char USER[] = "postgres";

typedef struct Replay {
    const Cluster *cluster;
    const json_t *case_;
    char *folder; /* of the case: migrations, shared, pgconvoy.yaml */
    char *url;
} Replay;

static char *path_of(const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        abort();
    return path;
}

/* --- the database --- */

static void run_all(PGconn *connection, const json_t *statements)
{
    size_t index;
    json_t *statement;
    json_array_foreach(statements, index, statement)
    {
        sql_run(connection, "%s", json_string_value(statement));
    }
}

static void new_database(const Cluster *cluster)
{
    PGconn *connection = cluster_connect(cluster, "postgres");
    sql_run(connection, "DROP DATABASE IF EXISTS %s WITH (FORCE)", DATABASE);
    sql_run(connection, "CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0", DATABASE);
    PQfinish(connection);
}

static void set_up(const Replay *replay)
{
    new_database(replay->cluster);
    PGconn *connection = cluster_connect(replay->cluster, DATABASE);
    run_all(connection, json_object_get(replay->case_, "setup"));
    PQfinish(connection);
}

/* --- files --- */

static int nibble(char hex)
{
    return hex <= '9' ? hex - '0' : hex - 'a' + 10;
}

static void write_hex(FILE *file, const char *hex)
{
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2)
        fputc(nibble(hex[0]) * 16 + nibble(hex[1]), file);
}

/* A text; {hex} bytes; {text, times, line}: a text and then one line many times. */
static void write_content(FILE *file, const json_t *content)
{
    const char *hex = json_string_value(json_object_get(content, "hex"));
    const json_t *text = json_is_string(content) ? content : json_object_get(content, "text");
    const char *line = json_string_value(json_object_get(content, "line"));
    if (hex != NULL)
        write_hex(file, hex);
    if (text != NULL)
        fwrite(json_string_value(text), 1, json_string_length(text), file);
    for (json_int_t i = 0; i < json_integer_value(json_object_get(content, "times")); i++)
        fputs(line, file);
}

/* null makes a folder. */
static void write_entry(const char *folder, const char *name, const json_t *content)
{
    char *path = path_of(folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    FILE *file = json_is_null(content) ? NULL : fopen(path, "wb");
    if (file == NULL && mkdir(path, 0755) != 0)
        abort();
    if (file != NULL) {
        write_content(file, content);
        fclose(file);
    }
    free(path);
}

/* Nothing for null, and an empty folder for nothing. */
static void write_folder(const Replay *replay, const char *key, const char *name)
{
    const json_t *files = json_object_get(replay->case_, key);
    const char *entry;
    json_t *content;
    char *folder = path_of(replay->folder, name);
    if (!json_is_null(files))
        mkdir(folder, 0755);
    json_object_foreach((json_t *)files, entry, content)
    {
        write_entry(folder, entry, content);
    }
    free(folder);
}

/* --- texts with places to fill in --- */

/* "{hostport}", "{db}" and "{user}" of every string inside. */
static json_t *filled(const Replay *replay, const json_t *value)
{
    if (json_is_string(value) && strchr(json_string_value(value), '{') != NULL) {
        char *text = NULL, hostport[32];
        size_t size = 0;
        snprintf(hostport, sizeof hostport, "127.0.0.1:%d", replay->cluster->port);
        const char *const PLACES[][2] = {{"{hostport}", hostport}, {"{db}", DATABASE}, {"{user}", USER}};
        FILE *file = open_memstream(&text, &size);
        for (const char *at = json_string_value(value); *at != '\0';) {
            size_t place = 0;
            while (place < 3 && strncmp(at, PLACES[place][0], strlen(PLACES[place][0])) != 0)
                place++;
            if (place < 3)
                fputs(PLACES[place][1], file);
            else
                fputc(*at, file);
            at += place < 3 ? strlen(PLACES[place][0]) : 1;
        }
        fclose(file);
        json_t *result = json_string(text);
        free(text);
        return result;
    }
    json_t *copy = json_copy((json_t *)value), *item;
    const char *key;
    size_t index;
    json_object_foreach((json_t *)value, key, item)
    {
        json_object_set_new(copy, key, filled(replay, item));
    }
    json_array_foreach(value, index, item)
    {
        json_array_set_new(copy, index, filled(replay, item));
    }
    return copy;
}

/* --- programs --- */

typedef struct Ended {
    char *out;
    int status;
    bool hung;
} Ended;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Ends it when its time is over; sends it a signal in between when the case wants that. */
static Ended run_to_the_end(Process *process, int64_t timeout_ms, int signal_number, int64_t signal_ms)
{
    Ended ended = {0};
    int64_t started_ms = now_ms();
    while (!process_ended(process)) {
        int64_t passed_ms = now_ms() - started_ms;
        if (signal_number != 0 && passed_ms >= signal_ms) {
            process_signal(process, signal_number);
            signal_number = 0;
        }
        ended.hung = ended.hung || passed_ms > timeout_ms;
        if (ended.hung)
            process_signal(process, SIGKILL);
        sleep_ms(2);
    }
    ended.out = process_out(process);
    ended.status = process->status;
    return ended;
}

static int64_t number_of(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* --- steps for the driver --- */

static json_t *document_of(const Replay *replay)
{
    static const char *const PASSED[] = {"case", "config", "steps", "groupEvents", "reportExitDelay"};
    json_t *document = json_object();
    for (size_t i = 0; i < sizeof PASSED / sizeof PASSED[0]; i++) {
        json_t *value = json_object_get(replay->case_, PASSED[i]);
        if (value != NULL)
            json_object_set_new(document, PASSED[i],
                                strcmp(PASSED[i], "config") == 0 ? filled(replay, value)
                                                                 : json_incref(value));
    }
    json_object_set_new(document, "url", json_string(replay->url));
    json_object_set_new(document, "migrationsFolder", json_sprintf("%s/migrations", replay->folder));
    if (json_object_get(replay->case_, "shared") != NULL)
        json_object_set_new(document, "sharedMigrationsFolder", json_sprintf("%s/shared", replay->folder));
    return document;
}

/* One JSON value a line. */
static json_t *lines_of(const char *text)
{
    json_t *lines = json_array();
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        json_t *value = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
        json_array_append_new(lines, value != NULL ? value : json_stringn(line, length));
        line += length + (line[length] == '\n');
    }
    return lines;
}

static json_t *play_steps(const Replay *replay)
{
    char *input = path_of(replay->folder, "steps.json");
    json_t *document = document_of(replay);
    json_dump_file(document, input, 0);
    json_decref(document);
    Process *process = process_start_with_input(replay->folder, NULL,
                                                (const char *const[]){"conformance-driver", NULL}, input);
    Ended ended = run_to_the_end(process, number_of(replay->case_, "timeoutMs", LIBRARY_TIMEOUT_MS), 0, 0);
    json_t *result = json_pack("{s:o}", "steps", lines_of(ended.out));
    if (ended.hung)
        json_object_set_new(result, "hung", json_true());
    else if (ended.status != 0)
        json_object_set_new(result, "crashed", json_integer(ended.status));
    free(ended.out);
    free(input);
    process_free(process);
    return result;
}

/* --- commands for the program --- */

static int signal_of(const json_t *command)
{
    const char *name = json_string_value(json_object_get(command, "signal"));
    return name == NULL ? 0 : strcmp(name, "SIGINT") == 0 ? SIGINT : SIGTERM;
}

/* What counts of a command: whether it succeeded, and its JSON (null when it printed none); of an error only
 * that it is one. */
static json_t *play_command(const Replay *replay, const json_t *command)
{
    const json_t *args = json_object_get(command, "args");
    const char *words[MAX_WORDS] = {"pgconvoy"};
    size_t count = json_array_size(args) < MAX_WORDS - 2 ? json_array_size(args) : MAX_WORDS - 2;
    for (size_t i = 0; i < count; i++)
        words[i + 1] = json_string_value(json_array_get(args, i));
    Process *process =
        process_start(replay->folder, (const char *const[]){"NO_COLOR=1", "DATABASE_URL=", NULL}, words);
    Ended ended = run_to_the_end(process, number_of(command, "timeoutMs", COMMAND_TIMEOUT_MS),
                                 signal_of(command), number_of(command, "signalAfterMs", 0));
    json_t *answer = json_pack("{s:O,s:b}", "args", args, "ok", ended.status == 0 && !ended.hung);
    json_t *json = json_loads(ended.out, 0, NULL);
    if (json_object_get(json, "error") != NULL) {
        json_decref(json);
        json = json_pack("{s:b}", "error", 1);
    }
    json_object_set_new(answer, "json", json != NULL ? json : json_null());
    free(ended.out);
    process_free(process);
    return answer;
}

static json_t *play_commands(const Replay *replay)
{
    json_t *config = filled(replay, json_object_get(replay->case_, "pgconvoy.yaml"));
    char *path = path_of(replay->folder, "pgconvoy.yaml");
    if (config != NULL)
        json_dump_file(config, path, 0); /* JSON is YAML */
    free(path);
    json_decref(config);
    json_t *answers = json_array(), *command;
    size_t index;
    json_array_foreach(json_object_get(replay->case_, "commands"), index, command)
    {
        json_array_append_new(answers, play_command(replay, command));
    }
    return json_pack("{s:o}", "cli", answers);
}

/* --- the whole --- */

static json_t *normal_and_free(json_t *value, const char *folder)
{
    json_t *normal = normal_form(value, folder);
    json_decref(value);
    return normal;
}

CaseOutcome replay_case(const Cluster *cluster, const json_t *case_)
{
    Replay replay = {
        .cluster = cluster, .case_ = case_, .folder = make_folder(), .url = cluster_url(cluster, DATABASE)};
    set_up(&replay);
    write_folder(&replay, "migrations", "migrations");
    if (json_object_get(case_, "shared") != NULL)
        write_folder(&replay, "shared", "shared");
    if (json_object_get(case_, "files") != NULL)
        write_folder(&replay, "files", ".");
    json_t *result = json_object_get(case_, "steps") != NULL ? play_steps(&replay) : play_commands(&replay);
    PGconn *connection = cluster_connect(cluster, DATABASE);
    json_t *state = database_state(connection, case_);
    PQfinish(connection);
    CaseOutcome outcome = {normal_and_free(result, replay.folder), normal_and_free(state, replay.folder)};
    mask_keys(outcome.result, json_object_get(case_, "mask"));
    remove_tree(replay.folder);
    free(replay.folder);
    free(replay.url);
    return outcome;
}

void case_outcome_clear(CaseOutcome *outcome)
{
    json_decref(outcome->result);
    json_decref(outcome->state);
    *outcome = (CaseOutcome){0};
}
