/* The kinds of steps: {call}, {pool}, {sql}, files, waiting, and steps that hold steps. */
#include "tests/conformance/driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void pause_for(int64_t ms)
{
    if (ms > 0)
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static Answer failed(pgconvoy_error *error)
{
    Answer answer = answer_error(error);
    pgconvoy_error_clear(error);
    return answer;
}

static Answer run_call(Driver *driver, const json_t *step)
{
    pgconvoy_error error = {0};
    if (!driver_open_migrator(driver, &error))
        return failed(&error);
    return migrator_call(driver->subject, text_of(step, "call"), json_object_get(step, "args"));
}

static Answer run_pool(Driver *driver, const json_t *step)
{
    return pool_call(driver, text_of(step, "pool"), json_object_get(step, "args"));
}

static Answer run_sql(Driver *driver, const json_t *step)
{
    char *message = NULL;
    if (sql_execute(driver->url, text_of(step, "sql"), &message))
        return answer_text("<ok>");
    Answer answer = answer_thrown(message, NULL);
    free(message);
    return answer;
}

static Answer run_sleep(Driver *driver, const json_t *step)
{
    (void)driver;
    pause_for(number_of(step, "sleep", 0));
    return answer_text("<ok>");
}

/* --- files of the migrations folder --- */

static char *path_in_folder(const Driver *driver, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", text_of(driver->document, "migrationsFolder"), name) < 0)
        must_json(NULL);
    return path;
}

static Answer run_write_files(Driver *driver, const json_t *step)
{
    const char *name;
    json_t *content;
    json_object_foreach(json_object_get(step, "writeFiles"), name, content)
    {
        char *path = path_in_folder(driver, name);
        FILE *file = fopen(path, "wb");
        bool ok = file != NULL && fwrite(json_string_value(content), 1, json_string_length(content), file) ==
                                      json_string_length(content);
        ok = (file == NULL || fclose(file) == 0) && ok;
        free(path);
        if (!ok)
            return answer_thrown("a migration file cannot be written", NULL);
    }
    return answer_text("<ok>");
}

static Answer run_remove_files(Driver *driver, const json_t *step)
{
    size_t index;
    json_t *name;
    json_array_foreach(json_object_get(step, "removeFiles"), index, name)
    {
        char *path = path_in_folder(driver, json_string_value(name));
        bool ok = unlink(path) == 0;
        free(path);
        if (!ok)
            return answer_thrown("a migration file cannot be removed", NULL);
    }
    return answer_text("<ok>");
}

/* --- other migrators --- */

static Answer run_new_migrator(Driver *driver, const json_t *step)
{
    pgconvoy_error error = {0};
    subject_free(driver->subject);
    driver->subject = subject_new(driver, json_object_get(step, "newMigrator"), &error);
    return driver->subject != NULL ? answer_text("<ok>") : failed(&error);
}

static Answer run_own_migrator(Driver *driver, const json_t *step)
{
    const json_t *own = json_object_get(step, "ownMigrator");
    pgconvoy_error error = {0};
    Subject *subject = subject_new(driver, json_object_get(own, "config"), &error);
    if (subject == NULL)
        return failed(&error);
    Answer answer = migrator_call(subject, text_of(own, "call"), json_object_get(own, "args"));
    subject_free(subject);
    return answer;
}

/* --- steps side by side --- */

static void *run_in_background(void *context)
{
    Background *background = context;
    pause_for(number_of(background->step, "delay", 0));
    background->answer = step_run(background->driver, background->step);
    return NULL;
}

static void background_start(Background *background)
{
    background->running = true;
    if (pthread_create(&background->thread, NULL, run_in_background, background) != 0)
        must_json(NULL);
}

/* What it came to, as an object. */
static json_t *background_join(Background *background)
{
    if (background->running)
        pthread_join(background->thread, NULL);
    background->running = false;
    json_t *object = must_json(json_object());
    answer_add_to(&background->answer, object);
    answer_clear(&background->answer);
    return object;
}

static Answer run_parallel(Driver *driver, const json_t *step)
{
    const json_t *steps = json_object_get(step, "parallel");
    size_t count = json_array_size(steps);
    Background runs[PARALLEL];
    if (count > PARALLEL)
        return answer_unsupported();
    for (size_t i = 0; i < count; i++) {
        runs[i] = (Background){.driver = driver, .step = json_array_get(steps, i)};
        background_start(&runs[i]);
    }
    json_t *answers = must_json(json_array());
    for (size_t i = 0; i < count; i++)
        json_array_append_new(answers, background_join(&runs[i]));
    return answer_value(answers);
}

/* The step itself stands in the object, or under "step" in it. */
static Answer run_background(Driver *driver, const json_t *step)
{
    const json_t *given = json_object_get(step, "background"), *inner = json_object_get(given, "step");
    if (driver->background_count == BACKGROUNDS)
        return answer_unsupported();
    Background *background = &driver->backgrounds[driver->background_count++];
    *background =
        (Background){.name = text_of(given, "name"), .driver = driver, .step = inner != NULL ? inner : given};
    background_start(background);
    return answer_text("<started>");
}

static Answer run_join(Driver *driver, const json_t *step)
{
    const char *name = text_of(step, "join");
    for (size_t i = 0; i < driver->background_count; i++)
        if (strcmp(driver->backgrounds[i].name, name) == 0 && driver->backgrounds[i].running)
            return answer_value(background_join(&driver->backgrounds[i]));
    return answer_unsupported();
}

void backgrounds_join(Driver *driver)
{
    for (size_t i = 0; i < driver->background_count; i++)
        if (driver->backgrounds[i].running)
            json_decref(background_join(&driver->backgrounds[i]));
}

/* Other functions exist in JavaScript alone. */
static Answer run_function(Driver *driver, const json_t *step)
{
    bool known = strcmp(text_of(step, "fn"), "drizzleMigrate") == 0;
    return known ? drizzle_migrate(driver, step) : answer_unsupported();
}

/* --- retries --- */

/* A function of the case's that fails a few times, then succeeds. */
typedef struct Failing {
    const char *words;
    int64_t times, calls;
} Failing;

/* What Node and its driver say of a connection that failed; anything else is no matter of the server's. */
static bool speaks_of_connection(const char *words)
{
    static const char *const CONNECTION[] = {"ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "timeout expired"};
    for (size_t i = 0; i < sizeof CONNECTION / sizeof CONNECTION[0]; i++)
        if (strcmp(CONNECTION[i], words) == 0)
            return true;
    return false;
}

static bool fail_at_first(void *context, pgconvoy_error *error)
{
    Failing *failing = context;
    if (failing->calls++ >= failing->times)
        return true;
    pgconvoy_error_set(error, "%s", failing->words);
    if (speaks_of_connection(failing->words))
        error->code = PGCONVOY_ERROR_CONNECT;
    return false;
}

/* {failTimes, message, options, minElapsed?} */
static Answer run_retry(Driver *driver, const json_t *step)
{
    const json_t *given = json_object_get(step, "retry"), *options = json_object_get(given, "options");
    Failing failing = {.words = text_of(given, "message"), .times = number_of(given, "failTimes", 0)};
    pgconvoy_retry_options retry = {
        .max_attempts = number_of(options, "maxAttempts", 0),
        .initial_delay_ms = number_of(options, "initialDelayMs", 0),
        .max_delay_ms = number_of(options, "maxDelayMs", 0),
        .multiplier = json_number_value(json_object_get(options, "backoffMultiplier")),
        .no_jitter = !flag_of(options, "jitter", true),
        .context = driver,
        .on_retry = report_retry,
    };
    pgconvoy_retry_result result = {0};
    pgconvoy_error error = {0};
    if (!pgconvoy_with_retry(&retry, fail_at_first, &failing, &result, &error))
        return failed(&error);
    return answer_value(json_pack("{ss,sI,sI,sI,sb}", "result", "ok", "attempts", (json_int_t)result.attempts,
                                  "totalTimeMs", (json_int_t)result.total_time_ms, "calls",
                                  (json_int_t)failing.calls, "elapsedAtLeast",
                                  result.total_time_ms >= number_of(given, "minElapsed", 0)));
}

/* The first key that a step has decides what it is. */
static const struct {
    const char *key;
    Answer (*function)(Driver *driver, const json_t *step);
} KINDS[] = {
    {"call", run_call},
    {"pool", run_pool},
    {"sql", run_sql},
    {"sleep", run_sleep},
    {"writeFiles", run_write_files},
    {"removeFiles", run_remove_files},
    {"newMigrator", run_new_migrator},
    {"ownMigrator", run_own_migrator},
    {"parallel", run_parallel},
    {"background", run_background},
    {"join", run_join},
    {"retry", run_retry},
    {"fn", run_function},
};

/* Only the fields that the case asks for. */
static void pick(Answer *answer, const json_t *keys)
{
    if (keys == NULL || !json_is_object(answer->returned))
        return;
    json_t *picked = must_json(json_object()), *key;
    size_t index;
    json_array_foreach(keys, index, key)
    {
        const char *name = json_string_value(key);
        json_t *value = json_object_get(answer->returned, name);
        if (value != NULL)
            json_object_set(picked, name, value);
    }
    json_decref(answer->returned);
    answer->returned = picked;
}

Answer step_run(Driver *driver, const json_t *step)
{
    Answer answer = answer_unsupported();
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (json_object_get(step, KINDS[i].key) != NULL) {
            answer = KINDS[i].function(driver, step);
            break;
        }
    pick(&answer, json_object_get(step, "pick"));
    if (json_is_true(json_object_get(step, "drop"))) {
        answer_clear(&answer);
        answer = answer_text("<dropped>");
    }
    pause_for(number_of(step, "settle", 0));
    return answer;
}

const char *step_name(const json_t *step)
{
    static const char *const NAMES[] = {"sql",         "sleep",       "writeFiles", "removeFiles",
                                        "newMigrator", "ownMigrator", "parallel",   "background",
                                        "join",        "retry",       "fn"};
    const char *call = text_of(step, "call");
    if (call != NULL)
        return call;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (json_object_get(step, NAMES[i]) != NULL)
            return NAMES[i];
    return "";
}
