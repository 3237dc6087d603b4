/* tenant:create, tenant:drop and tenant:exists as a user runs them: here, over a worker, on a terminal. */
#include "tests/support/fleet.h"
#include "tests/support/terminal.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>

static Cluster *cluster;
static Fleet *fleet;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

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

/* Runs, and parses what stdout holds. */
static json_t *run_json(const char *const words[], int status)
{
    SAID_CLEANUP Said said = run(words);
    expect_said(&said, status, "{", "");
    json_t *json = json_loads(said.out, 0, NULL);
    if (json == NULL)
        fail_msg("not JSON: %s", said.out);
    return json;
}

static void expect_text(json_t *json, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(json, name));
    if (text == NULL || strcmp(text, expected) != 0)
        fail_msg("%s is %s, not %s", name, text != NULL ? text : "missing", expected);
}

static bool schema_exists(const char *schema)
{
    char *quoted = PQescapeLiteral(fleet->connection, schema, strlen(schema));
    long long count =
        sql_number(fleet->connection, "SELECT count(*) FROM pg_namespace WHERE nspname = %s", quoted);
    PQfreemem(quoted);
    return count == 1;
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
    return 0;
}

static int close_fleet(void **state)
{
    (void)state;
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
    return 0;
}

static void a_tenant_comes_and_goes(void **state)
{
    (void)state;
    SAID_CLEANUP Said absent = run(WORDS("pgconvoy", "tenant:exists", "--id", "acme"));
    expect_said(&absent, 1, "tenant \"acme\" does not exist: no schema \"tenant_acme\"\n", "");
    SAID_CLEANUP Said created = run(WORDS("pgconvoy", "tenant:create", "--id", "acme"));
    expect_said(&created, 0, "tenant \"acme\" created: schema \"tenant_acme\", 2 migrations applied\n", "");
    SAID_CLEANUP Said exists = run(WORDS("pgconvoy", "tenant", "exists", "--id", "acme"));
    expect_said(&exists, 0, "tenant \"acme\" exists: schema \"tenant_acme\"\n", "");
    SAID_CLEANUP Said again = run(WORDS("pgconvoy", "tenant", "create", "--id", "acme"));
    expect_said(&again, 0, "tenant \"acme\" exists already: schema \"tenant_acme\", no migrations applied\n",
                "");
    SAID_CLEANUP Said dropped = run(WORDS("pgconvoy", "tenant", "drop", "--id", "acme", "-f"));
    expect_said(&dropped, 0, "tenant \"acme\" dropped: schema \"tenant_acme\"\n", "");
    assert_false(schema_exists("tenant_acme"));
    SAID_CLEANUP Said nothing = run(WORDS("pgconvoy", "tenant:drop", "--id", "acme", "--force"));
    expect_said(&nothing, 0, "tenant \"acme\" has no schema \"tenant_acme\": nothing to drop\n", "");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 2);
}

static void json_has_one_object(void **state)
{
    (void)state;
    json_t *exists = run_json(WORDS("pgconvoy", "--json", "tenant:exists", "--id", "acme"), 1);
    expect_text(exists, "tenantId", "acme");
    expect_text(exists, "schemaName", "tenant_acme");
    assert_true(json_is_false(json_object_get(exists, "exists")));
    assert_null(json_object_get(exists, "error"));
    json_t *created = run_json(WORDS("pgconvoy", "tenant:create", "--id", "acme", "--json"), 0);
    assert_true(json_is_true(json_object_get(created, "success")));
    assert_true(json_is_true(json_object_get(created, "created")));
    assert_int_equal(json_array_size(json_object_get(created, "appliedMigrations")), 2);
    expect_text(created, "outcome", "applied");
    assert_null(json_object_get(created, "database"));
    json_t *dropped = run_json(WORDS("pgconvoy", "tenant:drop", "--id", "acme", "--force", "--json"), 0);
    assert_true(json_is_true(json_object_get(dropped, "dropped")));
    assert_int_equal(json_array_size(json_object_get(dropped, "dependents")), 0);
    assert_true(json_is_integer(json_object_get(dropped, "durationMs")));
    json_t *refused = run_json(WORDS("pgconvoy", "tenant:drop", "--id", "acme", "--json"), 2);
    expect_text(refused, "code", "usage");
    json_decref(exists);
    json_decref(created);
    json_decref(dropped);
    json_decref(refused);
}

static void without_migrations_no_folder_is_needed(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/migrations", fleet->folder);
    remove_tree(path);
    SAID_CLEANUP Said refused = run(WORDS("pgconvoy", "tenant:create", "--id", "acme"));
    expect_said(&refused, 7, "", "migrations");
    assert_false(schema_exists("tenant_acme"));
    SAID_CLEANUP Said created = run(WORDS("pgconvoy", "tenant:create", "--id", "acme", "--no-migrate"));
    expect_said(&created, 0, "tenant \"acme\" created: schema \"tenant_acme\"\n", "");
    assert_true(schema_exists("tenant_acme"));
}

static void a_failing_migration_is_exit_1_and_says_what_stays(void **state)
{
    (void)state;
    fleet_add_migration(fleet, "0003_bad", "INSERT INTO nowhere VALUES (1)");
    SAID_CLEANUP Said failed = run(WORDS("pgconvoy", "tenant:create", "--id", "acme"));
    expect_said(&failed, 1, "schema \"tenant_acme\" created, 2 migrations applied: 0001_m1, 0002_m2\n",
                "error: tenant \"acme\": migration \"0003_bad\": relation \"nowhere\" does not exist\n");
    json_t *again = run_json(WORDS("pgconvoy", "tenant:create", "--id", "acme", "--json"), 1);
    assert_true(json_is_false(json_object_get(again, "success")));
    assert_true(json_is_false(json_object_get(again, "created")));
    expect_text(again, "migration", "0003_bad");
    expect_text(again, "sqlstate", "42P01");
    json_decref(again);
}

static void another_schema_s_view_holds_the_tenant(void **state)
{
    (void)state;
    sql_run(fleet->connection,
            "CREATE TABLE tenant_t0001.a (x int); CREATE VIEW public.totals AS SELECT * FROM "
            "tenant_t0001.a");
    SAID_CLEANUP Said refused = run(WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force"));
    expect_said(&refused, 1, "",
                "error: tenant \"t0001\" was not dropped: an object of other schemas depends on schema "
                "\"tenant_t0001\"\nDETAIL: view public.totals\nHINT: ");
    json_t *json = run_json(WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force", "--json"), 1);
    expect_text(json, "sqlstate", "2BP01");
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "dependents"), 0)),
                        "view public.totals");
    json_decref(json);
    SAID_CLEANUP Said not_empty =
        run(WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force", "--no-cascade"));
    expect_said(&not_empty, 1, "", "error: tenant \"t0001\" was not dropped: ");
    SAID_CLEANUP Said both = run(
        WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force", "--no-cascade", "--cascade-foreign"));
    expect_said(&both, 2, "", "error: ");
    assert_true(schema_exists("tenant_t0001"));
    SAID_CLEANUP Said dropped =
        run(WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force", "--cascade-foreign"));
    expect_said(&dropped, 0, "dropped", "");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM pg_views WHERE viewname = 'totals'"),
                     0);
}

static void off_a_terminal_nothing_is_dropped_without_force(void **state)
{
    (void)state;
    SAID_CLEANUP Said refused = run(WORDS("pgconvoy", "tenant:drop", "--id", "t0001"));
    expect_said(&refused, 2, "", "HINT: say --force");
    assert_true(schema_exists("tenant_t0001"));
}

static void odd_ids_are_taken_whole(void **state)
{
    (void)state;
    static const char *const IDS[] = {
        "a,b",       " a ",          "a/b",         "t0001; DROP SCHEMA tenant_t0001",
        "x\"; DROP", "'; SELECT 1;", "back\\slash", "München \U0001f69a",
        "-1"};
    for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++) {
        char *schema;
        assert_true(asprintf(&schema, "tenant_%s", IDS[i]) > 0);
        SAID_CLEANUP Said created = run(WORDS("pgconvoy", "tenant:create", "--id", IDS[i]));
        expect_said(&created, 0, "2 migrations applied", "");
        assert_true(schema_exists(schema));
        SAID_CLEANUP Said exists = run(WORDS("pgconvoy", "tenant:exists", "--id", IDS[i]));
        expect_said(&exists, 0, schema, "");
        SAID_CLEANUP Said dropped = run(WORDS("pgconvoy", "tenant:drop", "--id", IDS[i], "--force"));
        expect_said(&dropped, 0, "dropped", "");
        assert_false(schema_exists(schema));
        free(schema);
    }
    assert_true(schema_exists("tenant_t0001"));
}

static void what_cannot_be_a_tenant_is_a_usage_error(void **state)
{
    (void)state;
    static const char *const IDS[] = {"", "a\tb",
                                      "678901234567890123456789012345678901234567890123456789_too_long_65"};
    for (size_t i = 0; i < sizeof IDS / sizeof IDS[0]; i++) {
        SAID_CLEANUP Said created = run(WORDS("pgconvoy", "tenant:create", "--id", IDS[i]));
        expect_said(&created, 2, "", "error: ");
        SAID_CLEANUP Said dropped = run(WORDS("pgconvoy", "tenant:drop", "--force", "--id", IDS[i]));
        expect_said(&dropped, 2, "", "error: ");
        SAID_CLEANUP Said exists = run(WORDS("pgconvoy", "tenant:exists", "--id", IDS[i]));
        expect_said(&exists, 2, "", "error: ");
    }
    fleet_configure(fleet, fleet->url, "# schema as id\n");
    SAID_CLEANUP Said missing = run(WORDS("pgconvoy", "tenant:drop", "--force"));
    expect_said(&missing, 2, "", "error: tenant:drop needs --id\n");
}

static void a_server_that_is_gone_is_not_an_absent_tenant(void **state)
{
    (void)state;
    fleet_configure(fleet, "postgresql://postgres@127.0.0.1:1/nowhere",
                    "retry: {max_attempts: 2, initial_delay_ms: 10}");
    SAID_CLEANUP Said exists = run(WORDS("pgconvoy", "tenant:exists", "--id", "t0001"));
    expect_said(&exists, 6, "", "whether tenant \"t0001\" exists could not be learned: ");
    SAID_CLEANUP Said created = run(WORDS("pgconvoy", "tenant:create", "--id", "t0001"));
    expect_said(&created, 1, "", "error: tenant \"t0001\": ");
    SAID_CLEANUP Said dropped = run(WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force"));
    expect_said(&dropped, 1, "", "error: tenant \"t0001\" was not dropped: ");
}

static void a_remote_worker_does_the_same(void **state)
{
    (void)state;
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "2");
    SAID_CLEANUP Said created =
        run(WORDS("pgconvoy", "tenant:create", "--id", "a b", "--listen", endpoint, "--plain"));
    expect_said(&created, 0, "tenant \"a b\" created: schema \"tenant_a b\", 2 migrations applied\n", "");
    SAID_CLEANUP Said empty = run(
        WORDS("pgconvoy", "tenant:create", "--id", "bare", "--no-migrate", "--listen", endpoint, "--plain"));
    expect_said(&empty, 0, "tenant \"bare\" created: schema \"tenant_bare\"\n", "");
    SAID_CLEANUP Said exists =
        run(WORDS("pgconvoy", "tenant:exists", "--id", "a b", "--listen", endpoint, "--plain"));
    expect_said(&exists, 0, "tenant_a b", "");
    SAID_CLEANUP Said dropped =
        run(WORDS("pgconvoy", "tenant:drop", "--id", "a b", "--force", "--listen", endpoint, "--plain"));
    expect_said(&dropped, 0, "tenant \"a b\" dropped", "");
    assert_false(schema_exists("tenant_a b"));
    assert_true(schema_exists("tenant_bare"));
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 20000), 0);
    process_free(worker);
}

/* Answers the question whether to drop; says how it ended, and what the screen showed. */
static Said on_terminal(const char *answer, const char *const words[])
{
    Said said = {.err = strdup("")};
    said.status = terminal_run(fleet->folder, words, "to drop it: ", answer, &said.out);
    return said;
}

static void a_terminal_is_asked_for_the_tenant_s_id(void **state)
{
    (void)state;
    const char *const *words = WORDS("pgconvoy", "tenant:drop", "--id", "t0001");
    static const struct {
        const char *answer;
        int status;
    } REFUSED[] = {{"t0002\n", 2},  {"yes\n", 2}, {"\n", 2},
                   {" t0001\n", 2}, {"\x04", 2},  {"\x03", 128 + SIGINT}};
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        SAID_CLEANUP Said refused = on_terminal(REFUSED[i].answer, words);
        expect_said(&refused, REFUSED[i].status, "to drop it: ", "");
        assert_true(schema_exists("tenant_t0001"));
    }
    SAID_CLEANUP Said dropped = on_terminal("t0001\n", words);
    expect_said(&dropped, 0, "tenant \"t0001\" dropped", "");
    assert_false(schema_exists("tenant_t0001"));
    SAID_CLEANUP Said unasked = on_terminal("", WORDS("pgconvoy", "tenant:drop", "--id", "t0002", "--force"));
    expect_said(&unasked, 0, "tenant \"t0002\" dropped", "");
    assert_null(strstr(unasked.out, "to drop it"));
    assert_false(schema_exists("tenant_t0002"));
}

static void a_tenant_that_another_run_holds_is_exit_6(void **state)
{
    (void)state;
    sql_run(fleet->connection, "SELECT pg_advisory_lock(('x' || left(encode(sha256('pgconvoy/v1'::bytea || "
                               "'\\x00'::bytea || 'tenant_t0001'::bytea), 'hex'), 16))::bit(64)::bigint)");
    SAID_CLEANUP Said busy =
        run(WORDS("pgconvoy", "tenant:drop", "--id", "t0001", "--force", "--lock-wait", "200"));
    sql_run(fleet->connection, "SELECT pg_advisory_unlock_all()");
    expect_said(&busy, 6, "", "error: tenant \"t0001\" was not dropped: schema \"tenant_t0001\" is locked");
    assert_true(schema_exists("tenant_t0001"));
}

static void an_id_of_two_databases_needs_its_database(void **state)
{
    (void)state;
    char *text;
    assert_true(asprintf(&text,
                         "databases:\n  - {name: eu, url: \"%s\"}\n  - {name: us, url: \"%s\"}\n"
                         "migrations: {folder: ./migrations}\n",
                         fleet->url, fleet->url) > 0);
    write_file(fleet->folder, "pgconvoy.yaml", text);
    free(text);
    SAID_CLEANUP Said ambiguous = run(WORDS("pgconvoy", "tenant:create", "--id", "acme"));
    expect_said(&ambiguous, 2, "", "ambiguous");
    json_t *created = run_json(WORDS("pgconvoy", "tenant:create", "--id", "us/acme", "--json"), 0);
    expect_text(created, "tenantId", "acme");
    expect_text(created, "database", "us");
    json_decref(created);
    assert_true(schema_exists("tenant_acme"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_fleet, close_fleet)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tenant_comes_and_goes),
        TEST(json_has_one_object),
        TEST(without_migrations_no_folder_is_needed),
        TEST(a_failing_migration_is_exit_1_and_says_what_stays),
        TEST(another_schema_s_view_holds_the_tenant),
        TEST(off_a_terminal_nothing_is_dropped_without_force),
        TEST(odd_ids_are_taken_whole),
        TEST(what_cannot_be_a_tenant_is_a_usage_error),
        TEST(a_server_that_is_gone_is_not_an_absent_tenant),
        TEST(a_remote_worker_does_the_same),
        TEST(a_terminal_is_asked_for_the_tenant_s_id),
        TEST(a_tenant_that_another_run_holds_is_exit_6),
        TEST(an_id_of_two_databases_needs_its_database),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
