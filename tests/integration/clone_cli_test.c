/* tenant:clone as a user runs it: here, over a worker, in several databases. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static Cluster *cluster;
static Fleet *fleet;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define CLONE(...) WORDS("pgconvoy", "tenant:clone", __VA_ARGS__)

/* What a run said and ended with. */
typedef struct Said {
    int status;
    char *out, *err;
} Said;

static void said_clear(Said *said)
{
    free(said->out);
    free(said->err);
}

#define SAID_CLEANUP __attribute__((cleanup(said_clear), unused))

static Said run(const char *const words[])
{
    Said said;
    said.status = fleet_run(fleet, words, &said.out, &said.err);
    return said;
}

static void expect_said(const Said *said, int status, const char *out, const char *err)
{
    if (said->status != status || strstr(said->out, out) == NULL || strstr(said->err, err) == NULL)
        fail_msg("exit %d instead of %d, said:\n%s\nand on stderr:\n%s\nbut not: %s %s", said->status, status,
                 said->out, said->err, out, err);
}

/* The keys of what --json printed, in order, joined by commas; the parsed object in *ret_json. */
static char *run_json(const char *const words[], int status, json_t **ret_json)
{
    SAID_CLEANUP Said said = run(words);
    expect_said(&said, status, "{", "");
    json_t *json = json_loads(said.out, 0, NULL);
    if (json == NULL)
        fail_msg("not JSON: %s", said.out);
    char *keys = calloc(1, 1024), *end = keys;
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) end += sprintf(end, "%s%s", end > keys ? "," : "", key);
    *ret_json = json;
    return keys;
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

static int open_fleet(void **state)
{
    (void)state;
    fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 2, NULL);
    SAID_CLEANUP Said migrated = run(WORDS("pgconvoy", "migrate", "--all"));
    expect_said(&migrated, 0, "", "");
    sql_run(fleet->connection, "CREATE TABLE tenant_t0001.users (id serial, email text); INSERT INTO "
                               "tenant_t0001.users (email) VALUES ('a@x'), ('b@x')");
    return 0;
}

static int close_fleet(void **state)
{
    (void)state;
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
    return 0;
}

static void a_tenant_is_cloned_and_is_up_to_date(void **state)
{
    (void)state;
    SAID_CLEANUP Said cloned = run(CLONE("--from", "t0001", "--to", "copy"));
    expect_said(&cloned, 0, "tenant \"t0001\" cloned to \"copy\": schema \"tenant_copy\", 3 tables\n", "");
    SAID_CLEANUP Said migrated = run(WORDS("pgconvoy", "migrate", "--tenant", "copy", "--json"));
    expect_said(&migrated, 0, "\"appliedMigrations\": []", "");
    SAID_CLEANUP Said diff = run(WORDS("pgconvoy", "diff", "--reference", "t0001", "--tenant", "copy"));
    expect_said(&diff, 0, "", "");
    SAID_CLEANUP Said again =
        run(WORDS("pgconvoy", "tenant", "clone", "--from", "t0001", "--to", "copy", "-f"));
    expect_said(&again, 1, "",
                "error: tenant \"t0001\" was not cloned to \"copy\": Target tenant \"copy\" already exists\n"
                "DETAIL: there is a schema \"tenant_copy\"\nHINT: ");
}

static void rows_are_copied_and_hidden(void **state)
{
    (void)state;
    SAID_CLEANUP Said less = run(CLONE("--from", "t0001", "--to", "copy", "--include-data",
                                       "--exclude-tables", "made_1,made_2", "--exclude-tables", "made_2"));
    expect_said(&less, 0, "1 table, 2 rows\n", "");
    SAID_CLEANUP Said wrong = run(CLONE("--from", "t0001", "--to", "wrong", "--exclude-tables", "user"));
    expect_said(&wrong, 1, "", "there is no table \"user\" to leave out");
    SAID_CLEANUP Said hidden =
        run(CLONE("--from", "t0001", "--to", "hidden", "--include-data", "--anonymize", "users.email=x=y@z"));
    expect_said(&hidden, 0, "3 tables", "");
    assert_int_equal(
        sql_number(fleet->connection, "SELECT count(*) FROM tenant_hidden.users WHERE email = 'x=y@z'"), 2);
    SAID_CLEANUP Said null =
        run(CLONE("--from", "t0001", "--to", "null", "--include-data", "--anonymize", "users.email"));
    expect_said(&null, 0, "3 tables", "");
    assert_int_equal(
        sql_number(fleet->connection, "SELECT count(*) FROM tenant_null.users WHERE email IS NULL"), 2);
    SAID_CLEANUP Said typo =
        run(CLONE("--from", "t0001", "--to", "typo", "--include-data", "--anonymize", "users.mail"));
    expect_said(&typo, 1, "", "the rule for \"users\".\"mail\" names no column of the table");
}

static void json_is_the_result(void **state)
{
    (void)state;
    json_t *json;
    char *keys =
        run_json(WORDS("pgconvoy", "--json", "tenant:clone", "--from", "t0001", "--to", "c", "-f"), 0, &json);
    assert_string_equal(keys, "sourceTenant,targetTenant,targetSchema,success,tables,durationMs,outcome");
    assert_string_equal(json_string_value(json_object_get(json, "targetSchema")), "tenant_c");
    json_decref(json);
    free(keys);
    keys = run_json(CLONE("--from", "t0001", "--to", "d", "--include-data", "--json"), 0, &json);
    assert_string_equal(
        keys, "sourceTenant,targetTenant,targetSchema,success,tables,durationMs,rowsCopied,outcome");
    json_decref(json);
    free(keys);
    sql_run(fleet->connection, "CREATE SCHEMA tenant_bare");
    keys = run_json(CLONE("--from", "bare", "--to", "empty", "--include-data", "--json"), 0, &json);
    assert_int_equal(json_integer_value(json_object_get(json, "rowsCopied")), 0);
    assert_non_null(json_object_get(json, "rowsCopied"));
    json_decref(json);
    free(keys);
    keys = run_json(CLONE("--from", "ghost", "--to", "e", "--json"), 1, &json);
    assert_string_equal(
        keys, "sourceTenant,targetTenant,targetSchema,success,error,tables,durationMs,outcome,detail");
    assert_string_equal(json_string_value(json_object_get(json, "error")),
                        "Source tenant \"ghost\" does not exist");
    assert_string_equal(json_string_value(json_object_get(json, "outcome")), "no_schema");
    json_decref(json);
    free(keys);
}

static void what_makes_no_sense_is_a_usage_error(void **state)
{
    (void)state;
    static const struct {
        const char *words[10];
        const char *error;
    } CASES[] = {
        {{"pgconvoy", "tenant:clone", "--from", "t0001"}, "error: a clone needs two tenants"},
        {{"pgconvoy", "tenant:clone", "--to", "x"}, "error: tenant:clone needs --from"},
        {{"pgconvoy", "tenant:clone", "--from", "t0001", "--to", ""}, "error: "},
        {{"pgconvoy", "tenant:clone", "--from", "t0001", "--to", "a\tb"}, "error: "},
        {{"pgconvoy", "tenant:clone", "--from", "t0001", "--to", "x", "--anonymize", "users.email"},
         "error: --anonymize says what becomes of data"},
        {{"pgconvoy", "tenant:clone", "--from", "t0001", "--to", "x", "--include-data", "--anonymize",
          "email=geheim"},
         "error: \"email\" is not TABLE.COLUMN"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        SAID_CLEANUP Said refused = run(CASES[i].words);
        expect_said(&refused, 2, "", CASES[i].error);
        assert_null(strstr(refused.err, "geheim"));
    }
}

static void a_clone_stays_in_its_database(void **state)
{
    (void)state;
    PGconn *admin = cluster_connect(cluster, "postgres");
    sql_run(admin, "CREATE DATABASE elsewhere");
    char *url = cluster_url(cluster, "elsewhere"), *config;
    assert_true(asprintf(&config,
                         "databases: [{name: main, url: \"%s\"}, {name: other, url: \"%s\"}]\n"
                         "migrations: {folder: ./migrations}\n",
                         fleet->url, url) > 0);
    write_file(fleet->folder, "pgconvoy.yaml", config);
    SAID_CLEANUP Said across = run(CLONE("--from", "main/t0001", "--to", "other/x"));
    expect_said(
        &across, 2, "",
        "error: tenant \"t0001\" of database \"main\" cannot be cloned into database \"other\"\nHINT: ");
    SAID_CLEANUP Said within = run(CLONE("--from", "main/t0001", "--to", "x", "--json"));
    expect_said(&within, 0, "\"database\": \"main\"", "");
    SAID_CLEANUP Said ambiguous = run(CLONE("--from", "t0001", "--to", "main/y"));
    expect_said(&ambiguous, 2, "", "tenant \"t0001\" is ambiguous");
    free(url);
    free(config);
    sql_run(admin, "DROP DATABASE elsewhere");
    PQfinish(admin);
}

static void a_remote_worker_does_the_same(void **state)
{
    (void)state;
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "2");
    SAID_CLEANUP Said cloned = run(CLONE("--from", "t0001", "--to", "a b", "--include-data", "--anonymize",
                                         "users.email=", "--json", "--listen", endpoint, "--plain"));
    expect_said(&cloned, 0, "\"rowsCopied\": ", "");
    assert_int_equal(
        sql_number(fleet->connection, "SELECT count(*) FROM \"tenant_a b\".users WHERE email = ''"), 2);
    SAID_CLEANUP Said null = run(CLONE("--from", "t0001", "--to", "null", "--include-data", "--anonymize",
                                       "users.email", "--listen", endpoint, "--plain"));
    expect_said(&null, 0, "cloned to \"null\"", "");
    assert_int_equal(
        sql_number(fleet->connection, "SELECT count(*) FROM tenant_null.users WHERE email IS NULL"), 2);
    SAID_CLEANUP Said bare =
        run(CLONE("--from", "t0001", "--to", "c", "--json", "--listen", endpoint, "--plain"));
    assert_null(strstr(bare.out, "rowsCopied"));
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 20000), 0);
    process_free(worker);
}

int main(void)
{
#define FLEET_TEST(function) cmocka_unit_test_setup_teardown(function, open_fleet, close_fleet)
    const struct CMUnitTest tests[] = {
        FLEET_TEST(a_tenant_is_cloned_and_is_up_to_date),
        FLEET_TEST(rows_are_copied_and_hidden),
        FLEET_TEST(json_is_the_result),
        FLEET_TEST(what_makes_no_sense_is_a_usage_error),
        FLEET_TEST(a_clone_stays_in_its_database),
        FLEET_TEST(a_remote_worker_does_the_same),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
