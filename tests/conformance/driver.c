#include "tests/conformance/driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* {step, op, args?, returned | threw, events?} */
static json_t *line_of(Driver *driver, size_t number, const json_t *step, Answer *answer)
{
    const char *pool = text_of(step, "pool");
    json_t *line = must_json(json_pack("{sI}", "step", (json_int_t)number));
    json_t *op = pool != NULL ? json_sprintf("pool.%s", pool) : json_string(step_name(step));
    json_object_set_new(line, "op", must_json(op));
    if (json_object_get(step, "args") != NULL)
        json_object_set(line, "args", json_object_get(step, "args"));
    answer_add_to(answer, line);
    json_t *events = events_take(driver);
    if (json_array_size(events) > 0 && flag_of(driver->document, "groupEvents", false))
        json_object_set_new(line, "eventsByTenant", events_by_tenant(events));
    else if (json_array_size(events) > 0)
        json_object_set(line, "events", events);
    json_decref(events);
    return line;
}

static bool print_line(json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(line);
    bool ok = text != NULL && puts(text) >= 0 && fflush(stdout) == 0;
    free(text);
    return ok;
}

static bool play(Driver *driver)
{
    size_t number;
    json_t *step;
    json_array_foreach(json_object_get(driver->document, "steps"), number, step)
    {
        Answer answer = step_run(driver, step);
        json_t *line = line_of(driver, number, step, &answer);
        answer_clear(&answer);
        if (json_is_true(json_object_get(step, "quiet")))
            json_decref(line);
        else if (!print_line(line))
            return false;
    }
    return true;
}

static void driver_close(Driver *driver)
{
    backgrounds_join(driver);
    subject_free(driver->subject);
    for (size_t i = 0; i < driver->saved_count; i++)
        pgconvoy_db_unref(driver->saved[i].db);
    pgconvoy_pool_manager_free(driver->pools);
    json_decref(driver->pools_config);
    json_decref(driver->events.list);
}

/* How long an idle program needs to end: nothing may hold it back. */
static bool report_exit_delay(Driver *driver)
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    driver_close(driver);
    clock_gettime(CLOCK_MONOTONIC, &after);
    double seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    if (!flag_of(driver->document, "reportExitDelay", false))
        return true;
    return print_line(must_json(json_pack("{ss,sb}", "step", "exit", "exitDelayOver1s", seconds > 1)));
}

int main(void)
{
    json_error_t complaint;
    json_t *document = json_loadf(stdin, JSON_ALLOW_NUL, &complaint);
    if (document == NULL) {
        fprintf(stderr, "conformance-driver: stdin is no JSON document: %s\n", complaint.text);
        return 2;
    }
    Driver driver = {.document = document,
                     .url = text_of(document, "url"),
                     .events = {.mutex = PTHREAD_MUTEX_INITIALIZER, .list = must_json(json_array())},
                     .mutex = PTHREAD_MUTEX_INITIALIZER};
    bool ok = play(&driver);
    ok = report_exit_delay(&driver) && ok;
    json_decref(document);
    return ok ? 0 : 1;
}
