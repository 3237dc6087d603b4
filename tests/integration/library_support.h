/* What the tests of the library share: a fleet of tenants, a migrator over it, and callbacks that leave a
 * protocol. */
#pragma once
#include "common/buffer.h"
#include "coordinator/pgconvoy/migrator.h"
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <stdio.h>

/* Everything that callbacks said, and what they are to do. */
typedef struct Heard {
    Buffer events; /* "progress a starting\n..." */
    const char *tenants;
    const char *fail_progress; /* at this status */
    const char *fail_hook;     /* by this name, such as "afterTenant" */
    const char *fail_for;      /* for this tenant alone; NULL = all */
    pgconvoy_decision decision;
} Heard;

static inline bool is_meant(const Heard *heard, const char *tenant_id)
{
    return heard->fail_for == NULL || strcmp(heard->fail_for, tenant_id) == 0;
}

static inline bool hear_progress(void *context, const char *tenant_id, const char *status,
                                 const char *migration, pgconvoy_error *error)
{
    Heard *heard = context;
    buffer_appendf(&heard->events, "%s %s%s%s\n", tenant_id, status, migration != NULL ? " " : "",
                   migration != NULL ? migration : "");
    if (heard->fail_progress != NULL && strcmp(heard->fail_progress, status) == 0 &&
        is_meant(heard, tenant_id))
        return pgconvoy_error_set(error, "onProgress threw");
    return true;
}

static inline pgconvoy_decision hear_error(void *context, const char *tenant_id, const char *message)
{
    Heard *heard = context;
    buffer_appendf(&heard->events, "%s error: %s\n", tenant_id, message);
    return heard->decision;
}

/* Ids separated by spaces; "?" = discovery fails. */
static inline bool discover_heard(void *context, pgconvoy_texts *ret_ids, pgconvoy_error *error)
{
    Heard *heard = context;
    if (strcmp(heard->tenants, "?") == 0)
        return pgconvoy_error_set(error, "discovery exploded");
    char *copy = strdup(heard->tenants), *rest = copy;
    for (char *id; (id = strsep(&rest, " ")) != NULL;)
        assert_true(pgconvoy_texts_add(ret_ids, id));
    free(copy);
    return true;
}

static inline void expect_heard(Heard *heard, const char *expected)
{
    assert_string_equal(heard->events.data != NULL ? buffer_text(&heard->events) : "", expected);
    buffer_clear(&heard->events);
}

static inline void expect_no_error(bool ok, pgconvoy_error *error)
{
    if (!ok)
        fail_msg("%s", error->message);
    assert_int_equal(error->code, PGCONVOY_ERROR_NONE);
}

static inline void expect_error(bool ok, pgconvoy_error *error, pgconvoy_error_code code, const char *text)
{
    if (ok || error->message == NULL)
        fail_msg("no error, where \"%s\" was expected", text);
    if (strstr(error->message, text) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", error->message, text);
    assert_string_equal(pgconvoy_error_name(error->code), pgconvoy_error_name(code));
    pgconvoy_error_clear(error);
}

/* Options for the tenants of the fleet: the caller may change them before pgconvoy_migrator_new(). */
static inline pgconvoy_migrator_options fleet_options(const Fleet *fleet, Heard *heard,
                                                      pgconvoy_database *ret_database)
{
    static char folder[256];
    snprintf(folder, sizeof folder, "%s/migrations", fleet->folder);
    *ret_database = (pgconvoy_database){.url = fleet->url};
    return (pgconvoy_migrator_options){.databases = ret_database,
                                       .database_count = 1,
                                       .migrations_folder = folder,
                                       .discover = discover_heard,
                                       .context = heard};
}

static inline pgconvoy_migrator *migrator_of(const Fleet *fleet, Heard *heard)
{
    pgconvoy_database database;
    pgconvoy_migrator_options options = fleet_options(fleet, heard, &database);
    pgconvoy_error error = {0};
    pgconvoy_migrator *migrator = pgconvoy_migrator_new(&options, &error);
    expect_no_error(migrator != NULL, &error);
    return migrator;
}

static inline const pgconvoy_tenant_migration_result *detail(const pgconvoy_migration_results *results,
                                                             size_t index)
{
    assert_true(index < results->details.count);
    return (const pgconvoy_tenant_migration_result *)results->details.items + index;
}

static inline void expect_totals(const pgconvoy_migration_results *results, int64_t succeeded, int64_t failed,
                                 int64_t skipped)
{
    assert_int_equal(results->succeeded, succeeded);
    assert_int_equal(results->failed, failed);
    assert_int_equal(results->skipped, skipped);
    assert_int_equal(results->total, succeeded + failed + skipped);
    assert_int_equal(results->details.count, results->total);
}

/* JSON without what differs from run to run. */
static inline void expect_json(char *json, const char *expected)
{
    assert_non_null(json);
    char *at;
    static const char *const NUMBERS[] = {"\"durationMs\":", "\"attempts\":"};
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++)
        for (at = json; (at = strstr(at, NUMBERS[i])) != NULL;) {
            at += strlen(NUMBERS[i]);
            size_t digits = strspn(at, "0123456789");
            *at++ = '0';
            memmove(at, at + digits - 1, strlen(at + digits - 1) + 1);
        }
    assert_string_equal(json, expected);
    free(json);
}
