/* Everything a user can get wrong: refused with a clear message, a hint and its exit code, and nothing
 * changed. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <unistd.h>

static Cluster *cluster;

#define WORDS(...)                    \
    {                                 \
        "pgconvoy", __VA_ARGS__, NULL \
    }

typedef struct BadInput {
    const char *name;
    const char *words[12];
    const char *config; /* extra lines of pgconvoy.yaml, or the whole of it when it starts with "!" */
    const char *file;   /* one more migration, "name=text" */
    int exit_code;
    const char *says[4]; /* stderr must hold all of these */
} BadInput;

static const BadInput CASES[] = {
    {"unknown option", WORDS("migrate", "--all", "--concurency", "4"), NULL, NULL, 2, {"--concurrency"}},
    {"unknown command", WORDS("migrat", "--all"), NULL, NULL, 2, {"migrate"}},
    {"no selection", WORDS("migrate"), NULL, NULL, 2, {"--all"}},
    {"two selections", WORDS("migrate", "--all", "--tenant", "t0001"), NULL, NULL, 2, {"--tenant", "--all"}},
    {"concurrency 0", WORDS("migrate", "--all", "--concurrency", "0"), NULL, NULL, 2, {"concurrency"}},
    {"concurrency -1", WORDS("migrate", "--all", "--concurrency=-1"), NULL, NULL, 2, {"concurrency"}},
    {"concurrency abc", WORDS("migrate", "--all", "--concurrency", "abc"), NULL, NULL, 2, {"abc"}},
    {"unknown key",
     WORDS("status"),
     "run:\n  concurency: 4\n",
     NULL,
     2,
     {"concurency", "concurrency", "pgconvoy.yaml:"}},
    {"wrong type", WORDS("status"), "run:\n  concurrency: [1, 2]\n", NULL, 2, {"concurrency"}},
    {"octal number", WORDS("status"), "run:\n  lock_timeout_ms: 010\n", NULL, 2, {"lock_timeout_ms", "010"}},
    {"no tenants source",
     WORDS("status"),
     "!databases: [{name: main, url: \"${FLEET_URL}\"}]\n"
     "migrations: {folder: ./migrations}\n",
     NULL,
     2,
     {"no source of tenants", "HINT", "tenants.query"}},
    {"no database",
     WORDS("status"),
     "!tenants: {ids: [a]}\nmigrations: {folder: ./migrations}\n",
     NULL,
     2,
     {"no database", "HINT", "DATABASE_URL"}},
    {"unset variable",
     WORDS("status"),
     "!databases: [{name: main, url: \"${NOT_SET_ANYWHERE}\"}]\n",
     NULL,
     2,
     {"NOT_SET_ANYWHERE"}},
    {"missing folder", WORDS("migrate", "--all", "-f", "./nowhere"), NULL, NULL, 7, {"nowhere", "HINT"}},
    {"empty folder", WORDS("migrate", "--all", "-f", "./empty"), NULL, NULL, 7, {"empty"}},
    {"invalid UTF-8",
     WORDS("migrate", "--all"),
     NULL,
     "0009_latin=SELECT '\xe9';",
     7,
     {"0009_latin.sql", "UTF-8"}},
    {"syntax error",
     WORDS("migrate", "--all"),
     NULL,
     "0009_bad=SELECT 1;\nSELEC 2;",
     7,
     {"0009_bad:2", "syntax error at or near \"SELEC\"", "42601"}},
    {"empty id", WORDS("migrate", "--tenant", ""), NULL, NULL, 2, {"empty"}},
    {"id with a line break", WORDS("migrate", "--tenant", "a\nb"), NULL, NULL, 2, {"control character"}},
    {"id too long",
     WORDS("migrate", "--tenant", "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"),
     NULL,
     NULL,
     2,
     {"63"}},
    {"one schema for everybody",
     WORDS("migrate", "--all"),
     "!databases: [{name: main, url: \"${FLEET_URL}\"}]\ntenants: {schema: shared_by_all, ids: [a, b]}\n"
     "migrations: {folder: ./migrations}\n",
     NULL,
     2,
     {"shared_by_all", "{id}", "HINT"}},
    {"unknown database", WORDS("migrate", "--tenants-file", "list"), NULL, NULL, 2, {"elsewhere", "HINT"}},
    {"missing list", WORDS("migrate", "--tenants-file", "nolist"), NULL, NULL, 2, {"nolist"}},
    {"missing schema",
     WORDS("migrate", "--tenant", "ghost"),
     NULL,
     NULL,
     1,
     {"schema \"tenant_ghost\" does not exist", "3F000"}},
    {"unknown tracking table", WORDS("migrate", "--tenant", "odd"), NULL, NULL, 1, {"columns", "what"}},
    {"COMMIT in a file",
     WORDS("migrate", "--tenant", "t0001"),
     NULL,
     "0000_commit=CREATE TABLE first_half (i int); COMMIT; CREATE TABLE second_half (i int);",
     1,
     {"0A000", "HINT"}},
    {"no transaction",
     WORDS("migrate", "--tenant", "t0001"),
     NULL,
     "0000_cic=-- pgconvoy:transaction off\nCREATE INDEX CONCURRENTLY i ON t (i);",
     1,
     {"HINT"}},
    {"wrong password",
     WORDS("status"),
     "!databases: [{name: main, url: \"${LOCKED_URL}\"}]\n"
     "tenants: {query: select 1}\nmigrations: {folder: ./migrations}\n",
     NULL,
     1,
     {"password authentication failed", "HINT"}},
    {"unreachable server",
     WORDS("status"),
     "!databases: [{name: main, url: \"postgresql://x@127.0.0.1:1/x\"}]\n"
     "tenants: {query: select 1}\nmigrations: {folder: ./migrations}\n",
     NULL,
     1,
     {"127.0.0.1:1/x", "HINT"}},
    {"broken discovery query",
     WORDS("status"),
     "!databases: [{name: main, url: \"${FLEET_URL}\"}]\n"
     "tenants: {query: select id from nowhere}\n"
     "migrations: {folder: ./migrations}\n",
     NULL,
     2,
     {"nowhere", "42P01", "HINT"}},
    {"no workers",
     WORDS("status", "--listen", "tcp://127.0.0.1:*", "--plain", "--wait", "100"),
     NULL,
     NULL,
     6,
     {"0 of 1 workers", "HINT"}},
    {"loopback without --plain",
     WORDS("status", "--listen", "tcp://127.0.0.1:*"),
     NULL,
     NULL,
     2,
     {"--plain"}},
    {"TCP beyond loopback",
     WORDS("status", "--listen", "tcp://*:5570", "--plain"),
     NULL,
     NULL,
     2,
     {"tcp://*:5570", "HINT"}},
    {"nonsense endpoint", WORDS("status", "--workers", "carrier-pigeon"), NULL, NULL, 2, {"carrier-pigeon"}},
};

static void check_case(Fleet *fleet, const BadInput *input)
{
    const char *extra = input->config != NULL ? input->config : "";
    if (extra[0] == '!')
        write_file(fleet->folder, "pgconvoy.yaml", extra + 1);
    else
        fleet_configure(fleet, fleet->url, extra);
    char *name = NULL;
    if (input->file != NULL) {
        const char *text = strchr(input->file, '=');
        name = strndup(input->file, (size_t)(text - input->file));
        fleet_add_migration(fleet, name, text + 1);
    }
    char *before = fleet_digest(fleet), *out, *err;
    int status = fleet_run(fleet, input->words, &out, &err);
    char *after = fleet_digest(fleet);
    if (status != input->exit_code)
        fail_msg("%s: exit %d instead of %d: %s", input->name, status, input->exit_code, err);
    for (size_t i = 0; i < 4 && input->says[i] != NULL; i++)
        if (strstr(err, input->says[i]) == NULL)
            fail_msg("%s: stderr does not say \"%s\": %s", input->name, input->says[i], err);
    if (strstr(err, "s3cret") != NULL || strstr(out, "s3cret") != NULL)
        fail_msg("%s: a password leaked", input->name);
    if (strcmp(before, after) != 0)
        fail_msg("%s: the database was changed", input->name);
    if (name != NULL) {
        char path[300];
        snprintf(path, sizeof path, "%s/migrations/%s.sql", fleet->folder, name);
        assert_int_equal(unlink(path), 0);
    }
    free(name);
    free(before);
    free(after);
    free(out);
    free(err);
}

static void bad_input_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    fleet_add_markers(fleet, 2, NULL);
    sql_run(fleet->connection,
            "CREATE SCHEMA tenant_odd; CREATE TABLE tenant_odd.__drizzle_migrations (what int)");
    char path[300];
    snprintf(path, sizeof path, "mkdir %s/empty", fleet->folder);
    assert_int_equal(system(path), 0);
    write_file(fleet->folder, "list", "elsewhere\tt0001\n");
    setenv("FLEET_URL", fleet->url, 1);
    char *locked;
    assert_true(
        asprintf(&locked, "postgresql://locked:s3cret@127.0.0.1:%d/%s", cluster->port, fleet->database) > 0);
    setenv("LOCKED_URL", locked, 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        check_case(fleet, &CASES[i]);
    free(locked);
    fleet_free(fleet);
}

static void errors_are_json_when_asked_for(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    char *out, *err;
    assert_int_equal(
        fleet_run(fleet, (const char *const[]){"pgconvoy", "migrate", "--all", "--json", NULL}, &out, &err),
        7);
    json_t *report = json_loads(out, 0, NULL);
    assert_non_null(json_string_value(json_object_get(report, "error")));
    json_decref(report);
    free(out);
    free(err);
    assert_int_equal(
        fleet_run(fleet, (const char *const[]){"pgconvoy", "migrate", "--json", NULL}, &out, &err), 2);
    report = json_loads(out, 0, NULL);
    assert_non_null(json_string_value(json_object_get(report, "error")));
    json_decref(report);
    free(out);
    free(err);
    fleet_free(fleet);
}

/* A role that needs a password, while everybody else is trusted. */
static int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    PGconn *admin = cluster_connect(cluster, "postgres");
    sql_run(admin, "SET password_encryption = 'scram-sha-256'; CREATE ROLE locked LOGIN PASSWORD 'another'");
    sql_run(admin,
            "COPY (SELECT 'host all locked 127.0.0.1/32 scram-sha-256' UNION ALL SELECT 'host all all "
            "127.0.0.1/32 "
            "trust') TO '%s/data/pg_hba.conf'",
            cluster->directory);
    sql_run(admin, "SELECT pg_reload_conf()");
    PQfinish(admin);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input_is_refused_and_changes_nothing),
        cmocka_unit_test(errors_are_json_when_asked_for),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
