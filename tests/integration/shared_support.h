/* What the tests of the shared schema share: a fleet with shared migrations, running pgconvoy in it, and
 * looks at what is in public and in the tenants' schemas. */
#pragma once
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <sys/stat.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;

typedef struct Answer {
    char *out, *err;
    json_t *json; /* NULL when stdout is none */
} Answer;

static inline Answer ask(Fleet *fleet, int status, const char *const words[])
{
    Answer answer = {0};
    int found = fleet_run(fleet, words, &answer.out, &answer.err);
    answer.json = json_loads(answer.out, 0, NULL);
    if (found != status)
        fail_msg("exit %d instead of %d: %s%s", found, status, answer.out, answer.err);
    return answer;
}

static inline void forget(Answer *answer)
{
    json_decref(answer->json);
    free(answer->out);
    free(answer->err);
}

static inline void add_shared(Fleet *fleet, const char *name, const char *text)
{
    char *path;
    assert_true(asprintf(&path, "shared/%s.sql", name) > 0);
    write_file(fleet->folder, path, text);
    free(path);
}

static inline void make_directory(Fleet *fleet, const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", fleet->folder, name) > 0);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

/* Two shared migrations, which leave their marks, and two of the tenants. */
static inline Fleet *shared_fleet(int tenants)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    fleet_add_markers(fleet, 2, NULL);
    fleet_configure(fleet, fleet->url, "shared:\n  folder: ./shared");
    make_directory(fleet, "shared");
    add_shared(fleet, "0001_plans",
               "CREATE TABLE plans (id int);\n"
               "INSERT INTO marks VALUES (current_setting('search_path'), '0001_plans');");
    add_shared(fleet, "0002_roles",
               "CREATE TABLE roles (id int);\n"
               "INSERT INTO marks VALUES (current_setting('search_path'), '0002_roles');");
    return fleet;
}

/* A value as compact JSON with its times at 0. */
static inline void expect_json(json_t *value, const char *expected)
{
    assert_non_null(value);
    if (json_object_get(value, "durationMs") != NULL)
        json_object_set_new(value, "durationMs", json_integer(0));
    char *text = json_dumps(value, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static inline void expect_number(Fleet *fleet, long long expected, const char *sql)
{
    assert_int_equal(sql_number(fleet->connection, "%s", sql), expected);
}

static const char SHARED_TABLES[] __attribute__((unused)) =
    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('plans', 'roles')";
static const char SHARED_ROWS[] __attribute__((unused)) =
    "SELECT count(*) FROM public.__drizzle_shared_migrations";
static const char TENANT_OBJECTS[] __attribute__((unused)) =
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname LIKE 'tenant\\_%'";

static inline int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 100");
    cluster_start_bouncer(cluster, 4);
    return 0;
}

static inline int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}
