#include "common/config.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <unistd.h>

/* Every test starts with an environment that says nothing to us. */
static int clear_environment(void **state)
{
    (void)state;
    for (int id = 0; id < SETTING_COUNT; id++) {
        char *name = setting_environment_name((SettingId)id);
        unsetenv(name);
        free(name);
    }
    unsetenv("DATABASE_URL");
    unsetenv("PGCONVOY_CONFIG");
    unsetenv("UNSET_VARIABLE");
    setenv("TEST_WORD", "rolling", 1);
    setenv("TEST_NUMBER", "42", 1);
    setenv("TEST_SECRET", "hunter2", 1);
    return 0;
}

static Config *load(const char *text)
{
    Error error = {0};
    Config *config = config_load_text("f.yaml", text, strlen(text), &error);
    if (config == NULL)
        fail_msg("%s refused: %s", text, error.message);
    return config;
}

static const char *url_of(const Config *config, size_t index)
{
    size_t count = 0;
    const DatabaseConfig *databases = config_databases(config, &count);
    assert_true(index < count);
    return databases[index].url != NULL ? connection_string_reveal(databases[index].url) : NULL;
}

static void an_empty_file_gives_the_defaults(void **state)
{
    (void)state;
    static const char *const EMPTY[] = {"",
                                        "# nothing\n",
                                        "---\n",
                                        "---\n...\n",
                                        "~\n",
                                        "{}\n",
                                        "run:\n",
                                        "run: ~\ntenants: {}\ndatabases:\n",
                                        "tenants:\n  ids:\n  query: ~\n"};
    for (size_t i = 0; i < sizeof(EMPTY) / sizeof(EMPTY[0]); i++) {
        Config *config = load(EMPTY[i]);
        for (int id = 0; id < SETTING_COUNT; id++) {
            assert_int_equal(config_source(config, (SettingId)id), SOURCE_DEFAULT);
            assert_string_equal(config_text(config, (SettingId)id),
                                setting_get((SettingId)id)->default_value);
        }
        size_t count = 7;
        config_databases(config, &count);
        assert_int_equal(count, 0);
        config_free(config);
    }
}

static void values_of_every_type_are_read(void **state)
{
    (void)state;
    Config *config = load("run: {concurrency: 25, schedule: rolling, strict: yes, max_failures: 5%}\n"
                          "retry:\n  multiplier: 1.5\n  jitter: off\n"
                          "tenants:\n  ids: [a, '~', 010, \"null\", b/c]\n"
                          "worker:\n  coordinators:\n    - tcp://a:1\n    - tcp://b:2\n");
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 25);
    assert_string_equal(config_text(config, SETTING_RUN_SCHEDULE), "rolling");
    assert_string_equal(config_text(config, SETTING_RUN_MAX_FAILURES), "5%");
    assert_true(config_bool(config, SETTING_RUN_STRICT));
    assert_false(config_bool(config, SETTING_RETRY_JITTER));
    assert_true(config_number(config, SETTING_RETRY_MULTIPLIER) == 1.5);
    assert_int_equal(config_source(config, SETTING_RUN_STRICT), SOURCE_FILE);
    assert_int_equal(config_source(config, SETTING_RUN_DEADLINE_MS), SOURCE_DEFAULT);
    const TextList *ids = config_tenant_ids(config);
    static const char *const IDS[] = {"a", "~", "010", "null", "b/c"};
    assert_int_equal(ids->count, 5);
    for (size_t i = 0; i < ids->count; i++)
        assert_string_equal(ids->items[i], IDS[i]);
    assert_int_equal(config_coordinators(config)->count, 2);
    assert_string_equal(config_coordinators(config)->items[1], "tcp://b:2");
    assert_string_equal(config_path(config), "f.yaml");
    config_free(config);
}

static void json_is_yaml(void **state)
{
    (void)state;
    Config *config = load("{\"run\": {\"concurrency\": \"auto\", \"strict\": true},\n"
                          " \"tenants\": {\"command\": [\"/bin/list\", \"--all\"]},\n"
                          " \"databases\": [{\"name\": \"main\", \"url\": \"service=x\"}]}");
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 0);
    assert_true(config_bool(config, SETTING_RUN_STRICT));
    assert_string_equal(config_tenant_command(config)->items[1], "--all");
    assert_string_equal(url_of(config, 0), "service=x");
    config_free(config);
}

static void variables_are_filled_in(void **state)
{
    (void)state;
    Config *config = load("run:\n  concurrency: ${TEST_NUMBER}\n  schedule: ${TEST_WORD}\n"
                          "tenants:\n  schema: $${x}_$_${TEST_NUMBER}{id}$\n  ids: ['a${TEST_NUMBER}b', c]\n"
                          "databases:\n  - {name: 'n${TEST_NUMBER}', url: 'password=${TEST_SECRET}'}\n");
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 42);
    assert_string_equal(config_text(config, SETTING_RUN_SCHEDULE), "rolling");
    assert_string_equal(config_text(config, SETTING_TENANTS_SCHEMA), "${x}_$_42{id}$");
    assert_string_equal(config_tenant_ids(config)->items[0], "a42b");
    assert_string_equal(url_of(config, 0), "password=hunter2");
    config_free(config);
}

static void databases_are_read(void **state)
{
    (void)state;
    Config *config = load("databases:\n"
                          "  - name: a.b_C-1\n"
                          "    host: 'h'\n    port: 5433\n    dbname: my db\n    user: o'x\n"
                          "    password: 'back\\slash and ''quote'''\n    max_connections: 7\n"
                          "  - name: only\n"
                          "  - {name: url, url: 'postgresql://u:p@h/d?x=y'}\n"
                          "  - {name: svc, service: fleet, dbname: ~}\n");
    size_t count;
    const DatabaseConfig *databases = config_databases(config, &count);
    assert_int_equal(count, 4);
    assert_string_equal(databases[0].name, "a.b_C-1");
    assert_int_equal(databases[0].max_connections, 7);
    assert_string_equal(url_of(config, 0), "host='h' port='5433' dbname='my db' user='o\\'x' "
                                           "password='back\\\\slash and \\'quote\\''");
    assert_null(databases[1].url);
    assert_int_equal(databases[1].max_connections, 20);
    assert_string_equal(url_of(config, 2), "postgresql://u:p@h/d?x=y");
    assert_string_equal(url_of(config, 3), "service='fleet'");
    config_free(config);
}

typedef struct Refusal {
    const char *text;
    const char *message;
    const char *hint; /* NULL = none asked for */
    int64_t line, column;
} Refusal;

/* clang-format off */
static const Refusal REFUSALS[] = {
    /* keys */
    {"run:\n  concurency: 5\n", "f.yaml:2:3: unknown key \"concurency\" in run", "did you mean concurrency?",
     2, 3},
    {"run:\n  schedule: batch\n\n  concurency: [1]\n", "f.yaml:4:3: unknown key \"concurency\" in run",
     "did you mean concurrency?", 4, 3},
    {"# c\nrn:\n  strict: on\n", "f.yaml:2:1: unknown key \"rn\"", "did you mean run?", 2, 1},
    {"concurrency: 5\n", "f.yaml:1:1: unknown key \"concurrency\"", "concurrency belongs to the section run",
     1, 1},
    {"callbacks: {before_tenant: [x]}\n", "f.yaml:1:1: unknown key \"callbacks\"", NULL, 1, 1},
    {"common: {folder: x}\n", "f.yaml:1:1: unknown key \"common\"", NULL, 1, 1},
    {"coordinator: {friends: x}\n", "f.yaml:1:15: unknown key \"friends\" in coordinator", NULL, 1, 15},
    {"worker: {secret_file: x}\n", "f.yaml:1:10: unknown key \"secret_file\" in worker", NULL, 1, 10},
    {"worker: {http: x}\n", "f.yaml:1:10: unknown key \"http\" in worker", NULL, 1, 10},
    {"databases:\n  - name: a\n    ulr: postgresql://u:hunter2@h\n",
     "f.yaml:3:5: unknown key \"ulr\" in databases[0]", "did you mean url?", 3, 5},
    {"databases:\n  - name: a\n    postgresql://u:hunter2@h/d: x\n",
     "f.yaml:3:5: unknown key <redacted> in databases[0]", NULL, 3, 5},
    {"run:\n  strict: on\n  strict: off\n", "f.yaml:3:3: run.strict is given twice", NULL, 3, 3},
    {"run: {strict: on}\nlog: {level: info}\nrun: {}\n", "f.yaml:3:1: run is given twice", NULL, 3, 1},
    {"run:\n  [strict]: on\n", "f.yaml:2:3: a key must be a name, not a list", NULL, 2, 3},
    {"run:\n  ? {a: b}\n  : c\n", "f.yaml:2:5: a key must be a name, not a mapping", NULL, 2, 5},
    {"run:\n  <<: {strict: on}\n", "f.yaml:2:3: unknown key \"<<\" in run", NULL, 2, 3},

    /* kinds */
    {"run:\n  concurrency: [5]\n", "f.yaml:2:16: run.concurrency must be a single value, not a list", NULL, 2,
     16},
    {"run:\n  concurrency:\n    a: 5\n", "f.yaml:3:5: run.concurrency must be a single value, not a mapping",
     NULL, 3, 5},
    {"tenants:\n  ids: a\n", "f.yaml:2:8: tenants.ids must be a list, not a single value", NULL, 2, 8},
    {"tenants:\n  ids:\n    - a\n    - [b]\n",
     "f.yaml:4:7: tenants.ids[1] must be a single value, not a list", NULL, 4, 7},
    {"run: 5\n", "f.yaml:1:6: run must be a mapping of keys and values, not a single value", NULL, 1, 6},
    {"run: [5]\n", "f.yaml:1:6: run must be a mapping of keys and values, not a list", NULL, 1, 6},
    {"- run\n", "f.yaml:1:1: the file must be a mapping of keys and values, not a list", NULL, 1, 1},
    {"postgresql://u:hunter2@h/d\n",
     "f.yaml:1:1: the file must be a mapping of keys and values, not a single value", NULL, 1, 1},
    {"databases: {name: a}\n", "f.yaml:1:12: databases must be a list, not a mapping", NULL, 1, 12},
    {"databases:\n  - a\n",
     "f.yaml:2:5: databases[0] must be a mapping of keys and values, not a single value", NULL, 2, 5},
    {"databases:\n  - name: a\n  -\n",
     "f.yaml:3:4: databases[1] must be a mapping of keys and values, not a single value", NULL, 3, 4},
    {"databases:\n  - name: a\n    url: [hunter2]\n",
     "f.yaml:3:10: databases[0].url must be a single value, not a list", NULL, 3, 10},

    /* syntax */
    {"run:\n\tstrict: on\n", "f.yaml:2:1: not valid YAML: found character that cannot start any token", NULL,
     2, 1},
    {"run: {strict: on\n", "f.yaml:2:1: not valid YAML: did not find expected ',' or '}'", NULL, 2, 1},
    {"run:\n  schedule: \"hunter2\n", "f.yaml:3:1: not valid YAML: found unexpected end of stream", NULL, 3,
     1},
    {"run:\n  schedule: \xff\n", "f.yaml:2:13: not valid YAML: invalid leading UTF-8 octet", NULL, 2, 13},
    {"run: {}\n---\nrun: {}\n", "f.yaml:2:1: a second YAML document starts here; one is enough", NULL, 2, 1},
    {"run:\n  schedule: \"a\\0b\"\n", "f.yaml:2:13: a value with a NUL character", NULL, 2, 13},
    {"tenants:\n  query: &x a\n  file: *x\n", "f.yaml:3:3: tenants.file: aliases (*name) are not supported",
     NULL, 3, 3},
    {"tenants:\n  query: &hunter2 a\n  ids: [*hunter2]\n",
     "f.yaml:3:8: tenants.ids: aliases (*name) are not supported", NULL, 3, 8},
    {"tenants:\n  query: *hunter2\n", "f.yaml:2:10: not valid YAML: found undefined alias", NULL, 2, 10},

    /* values */
    {"run:\n  concurrency: abc\n", "f.yaml:2:16: run.concurrency: \"abc\" is not a whole number or auto",
     NULL, 2, 16},
    {"run:\n  concurrency: 0\n", "f.yaml:2:16: run.concurrency: \"0\" is out of range (1 to 10000, or auto)",
     NULL, 2, 16},
    {"run:\n  concurrency: -1\n",
     "f.yaml:2:16: run.concurrency: \"-1\" is out of range (1 to 10000, or auto)", NULL, 2, 16},
    {"run:\n  concurrency: 010\n",
     "f.yaml:2:16: run.concurrency: \"010\" has a leading zero; numbers are decimal", NULL, 2, 16},
    {"run:\n  schedule: batchh\n", "f.yaml:2:13: run.schedule: \"batchh\" is not one of batch, rolling",
     "did you mean batch?", 2, 13},
    {"run:\n  strict: maybe\n", "f.yaml:2:11: run.strict: \"maybe\" is neither true nor false", NULL, 2, 11},
    {"tenants:\n  schema: all\n", "f.yaml:2:11: tenants.schema: \"all\" lacks {id}",
     "without {id} all tenants would share one schema", 2, 11},
    {"tenants:\n  ids: [a, ~]\n", "f.yaml:2:12: tenants.ids[1]: must not be null",
     "put it in quotes if it is meant as text", 2, 12},
    {"tenants:\n  ids:\n    - null\n", "f.yaml:3:7: tenants.ids[0]: must not be null",
     "put it in quotes if it is meant as text", 3, 7},
    {"tenants:\n  ids: ['']\n", "f.yaml:2:9: tenants.ids[0]: must not be empty", NULL, 2, 9},
    {"tenants:\n  ids: ['${TEST_EMPTY}']\n",
     "f.yaml:2:9: tenants.ids[0]: environment variable TEST_EMPTY is not set", NULL, 2, 9},
    {"run:\n  concurrency: postgresql://u:hunter2@h\n",
     "f.yaml:2:16: run.concurrency: <redacted> is not a whole number or auto", NULL, 2, 16},

    /* variables */
    {"run:\n  schedule: ${UNSET_VARIABLE}\n",
     "f.yaml:2:13: run.schedule: environment variable UNSET_VARIABLE is not set", NULL, 2, 13},
    {"run:\n  schedule: 'a${UNSET_VARIABLE'\n",
     "f.yaml:2:13: run.schedule: has a ${ that no variable name and } follow", "write $${ for a literal ${",
     2, 13},
    {"databases:\n  - name: a\n    password: 'hunter2${'\n",
     "f.yaml:3:15: databases[0].password: has a ${ that no variable name and } follow",
     "write $${ for a literal ${", 3, 15},
    {"databases:\n  - name: a\n    url: x${UNSET_VARIABLE}\n",
     "f.yaml:3:10: databases[0].url: environment variable UNSET_VARIABLE is not set", NULL, 3, 10},
    {"run:\n  concurrency: ${TEST_SECRET}\n",
     "f.yaml:2:16: run.concurrency: does not accept what \"${TEST_SECRET}\" stands for", NULL, 2, 16},
    {"run:\n  schedule: ${TEST_SECRET}\n",
     "f.yaml:2:13: run.schedule: does not accept what \"${TEST_SECRET}\" stands for", NULL, 2, 13},
    {"databases:\n  - name: a\n    port: ${TEST_SECRET}\n",
     "f.yaml:3:11: databases[0].port: does not accept what \"${TEST_SECRET}\" stands for", NULL, 3, 11},

    /* tenants: one way only */
    {"tenants:\n  query: select 1\n  ids: [a]\n",
     "f.yaml:3:8: tenants.query and tenants.ids exclude each other", NULL, 3, 8},
    {"tenants:\n  command: [x]\n  schemas: true\n",
     "f.yaml:2:12: tenants.schemas and tenants.command exclude each other", NULL, 2, 12},
    {"tenants:\n  file: x\n  ids: [a]\n", "f.yaml:2:9: tenants.ids and tenants.file exclude each other", NULL,
     2, 9},

    /* databases */
    {"databases:\n  - url: postgresql://u:hunter2@h\n",
     "f.yaml:2:5: databases[0].name: is missing; every database needs a name", NULL, 2, 5},
    {"databases:\n  - name: ~\n", "f.yaml:2:11: databases[0].name: is missing; every database needs a name",
     NULL, 2, 11},
    {"databases:\n  - name: a\n  - name: b\n  - name: a\n",
     "f.yaml:4:11: databases[2].name: \"a\" is the name of two databases", NULL, 4, 11},
    {"databases:\n  - name: a/b\n",
     "f.yaml:2:11: databases[0].name: \"a/b\" must be 1 to 63 of the characters A-Z a-z 0-9 _ . -", NULL, 2,
     11},
    {"databases:\n  - name: ''\n",
     "f.yaml:2:11: databases[0].name: \"\" must be 1 to 63 of the characters A-Z a-z 0-9 _ . -", NULL, 2, 11},
    {"databases:\n  - name: a\n    url: ''\n", "f.yaml:3:10: databases[0].url: must not be empty", NULL, 3,
     10},
    {"databases:\n  - name: a\n    url: service=x\n    host: h\n",
     "f.yaml:4:11: databases[0].host: excluded by url, which says it all", NULL, 4, 11},
    {"databases:\n  - name: a\n    url: service=x\n    password: hunter2\n",
     "f.yaml:4:15: databases[0].password: excluded by url, which says it all", NULL, 4, 15},
    {"databases:\n  - name: a\n    port: 70000\n",
     "f.yaml:3:11: databases[0].port: \"70000\" is out of range (1 to 65535)", NULL, 3, 11},
    {"databases:\n  - name: a\n    max_connections: 0\n",
     "f.yaml:3:22: databases[0].max_connections: \"0\" is out of range (1 to 10000)", NULL, 3, 22},

    /* relations */
    {"wire: {dead_ms: 6000}\n", "wire.suspect_ms (6000) must be less than wire.dead_ms (6000)", NULL, 0, 0},
    {"retry: {initial_delay_ms: 9000}\n",
     "retry.initial_delay_ms (9000) must not be more than retry.max_delay_ms (5000)", NULL, 0, 0},
};
/* clang-format on */

static void bad_files_are_refused_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
        ERROR_CLEANUP Error error = {0};
        const Refusal *refusal = &REFUSALS[i];
        Config *config = config_load_text("f.yaml", refusal->text, strlen(refusal->text), &error);
        if (config != NULL)
            fail_msg("accepted: %s", refusal->text);
        assert_string_equal(error.message, refusal->message);
        assert_int_equal(error.code, ERROR_CONFIG);
        assert_int_equal(error.line, refusal->line);
        assert_int_equal(error.column, refusal->column);
        if (refusal->hint != NULL && error.hint == NULL)
            fail_msg("no hint: %s", refusal->text);
        if (refusal->hint != NULL)
            assert_string_equal(error.hint, refusal->hint);
        else
            assert_null(error.hint);
        char *whole = error_format(&error);
        if (strstr(whole, "hunter2") != NULL)
            fail_msg("a secret leaked: %s", whole);
        free(whole);
    }
}

static void a_long_database_name_is_refused(void **state)
{
    (void)state;
    char text[128];
    snprintf(text, sizeof(text), "databases: [{name: %063d}]", 1);
    config_free(load(text));
    snprintf(text, sizeof(text), "databases: [{name: %064d}]", 1);
    ERROR_CLEANUP Error error = {0};
    assert_null(config_load_text("f.yaml", text, strlen(text), &error));
    assert_non_null(strstr(error.message, "must be 1 to 63"));
}

static void flag_beats_environment_beats_file_beats_default(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    setenv("PGCONVOY_RUN_SCHEDULE", "batch", 1);
    setenv("PGCONVOY_RUN_STRICT", "", 1);
    Config *config = load("run: {schedule: rolling, strict: true, lock_attempts: 3}\n");
    assert_string_equal(config_text(config, SETTING_RUN_SCHEDULE), "batch");
    assert_int_equal(config_source(config, SETTING_RUN_SCHEDULE), SOURCE_ENVIRONMENT);
    assert_true(config_bool(config, SETTING_RUN_STRICT)); /* an empty variable says nothing */
    assert_int_equal(config_source(config, SETTING_RUN_LOCK_ATTEMPTS), SOURCE_FILE);
    assert_true(config_set(config, SETTING_RUN_SCHEDULE, "rolling", SOURCE_FLAG, &error));
    assert_int_equal(config_source(config, SETTING_RUN_SCHEDULE), SOURCE_FLAG);
    assert_true(config_set(config, SETTING_RUN_SCHEDULE, "batch", SOURCE_FILE, &error));
    assert_string_equal(config_text(config, SETTING_RUN_SCHEDULE), "rolling");
    config_free(config);
}

static void a_bad_variable_is_named(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    setenv("PGCONVOY_RUN_CONCURRENCY", "010", 1);
    assert_null(config_load_text("f.yaml", "", 0, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_string_equal(error.message,
                        "PGCONVOY_RUN_CONCURRENCY: \"010\" has a leading zero; numbers are decimal");
}

static void a_bad_flag_is_a_usage_error_and_changes_nothing(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Config *config = load("");
    assert_false(config_set(config, SETTING_RUN_CONCURRENCY, "zero", SOURCE_FLAG, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_string_equal(error.message, "\"zero\" is not a whole number or auto");
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 10);
    assert_int_equal(config_source(config, SETTING_RUN_CONCURRENCY), SOURCE_DEFAULT);
    config_free(config);
}

static void lists_come_from_the_environment_with_commas(void **state)
{
    (void)state;
    setenv("PGCONVOY_COORDINATOR_WORKERS", "tcp://a:1,tcp://b:2", 1);
    setenv("PGCONVOY_WORKER_COORDINATORS", "tcp://c:3", 1);
    Config *config = load("coordinator: {workers: [tcp://z:9]}\n");
    const TextList *workers = config_worker_endpoints(config);
    assert_int_equal(workers->count, 2);
    assert_string_equal(workers->items[0], "tcp://a:1");
    assert_string_equal(workers->items[1], "tcp://b:2");
    assert_int_equal(config_coordinators(config)->count, 1);
    TextList flag = {0};
    ERROR_CLEANUP Error error = {0};
    assert_true(text_list_add(&flag, "tcp://d:4"));
    assert_true(config_set_list(config, SETTING_WORKER_COORDINATORS, &flag, SOURCE_FLAG, &error));
    assert_string_equal(config_coordinators(config)->items[0], "tcp://d:4");
    text_list_clear(&flag);
    config_free(config);

    setenv("PGCONVOY_COORDINATOR_WORKERS", "tcp://a:1,,tcp://b:2", 1);
    assert_null(config_load_text("f.yaml", "", 0, &error));
    assert_string_equal(error.message, "PGCONVOY_COORDINATOR_WORKERS: has an empty part between commas");
}

static void a_higher_layer_replaces_the_way_to_find_tenants(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    setenv("PGCONVOY_TENANTS_IDS", "a,b", 1);
    Config *config = load("tenants: {query: select 1}\n");
    assert_string_equal(config_text(config, SETTING_TENANTS_QUERY), "");
    assert_int_equal(config_tenant_ids(config)->count, 2);
    config_free(config);
    setenv("PGCONVOY_TENANTS_FILE", "f", 1);
    assert_null(config_load_text("f.yaml", "", 0, &error));
    assert_string_equal(error.message, "environment: tenants.ids and tenants.file exclude each other");
}

static void database_url_alone_is_the_database_main(void **state)
{
    (void)state;
    setenv("DATABASE_URL", "postgresql://u:p@h/d", 1);
    Config *config = load("databases: []\n");
    size_t count;
    const DatabaseConfig *databases = config_databases(config, &count);
    assert_int_equal(count, 1);
    assert_string_equal(databases[0].name, "main");
    assert_int_equal(databases[0].max_connections, 20);
    assert_string_equal(url_of(config, 0), "postgresql://u:p@h/d");
    config_free(config);

    config = load("databases: [{name: other}]\n");
    databases = config_databases(config, &count);
    assert_int_equal(count, 1);
    assert_string_equal(databases[0].name, "other");
    assert_null(databases[0].url);
    config_free(config);
}

/* Runs a test's body in an empty folder of its own. */
typedef struct Folder {
    char home[4096];
    char path[32];
} Folder;

static void folder_enter(Folder *folder)
{
    assert_non_null(getcwd(folder->home, sizeof(folder->home)));
    strcpy(folder->path, "/tmp/config_test.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    assert_int_equal(chdir(folder->path), 0);
}

static void folder_leave(const Folder *folder)
{
    unlink("pgconvoy.yaml");
    unlink("other.yaml");
    assert_int_equal(chdir(folder->home), 0);
    assert_int_equal(rmdir(folder->path), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void the_file_is_found_in_order(void **state)
{
    (void)state;
    Folder folder;
    folder_enter(&folder);
    ERROR_CLEANUP Error error = {0};
    Config *config = config_load(NULL, &error); /* no file at all is fine */
    assert_non_null(config);
    assert_null(config_path(config));
    config_free(config);

    write_file("pgconvoy.yaml", "run: {concurrency: 1}\n");
    config = config_load(NULL, &error);
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 1);
    assert_string_equal(config_path(config), "pgconvoy.yaml");
    config_free(config);

    write_file("other.yaml", "run: {concurrency: 2}\n");
    setenv("PGCONVOY_CONFIG", "other.yaml", 1);
    config = config_load(NULL, &error);
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 2);
    config_free(config);
    config = config_load("pgconvoy.yaml", &error);
    assert_int_equal(config_int(config, SETTING_RUN_CONCURRENCY), 1);
    config_free(config);
    folder_leave(&folder);
}

static void a_named_file_must_be_readable(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_null(config_load("/nonexistent/x.yaml", &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_string_equal(
        error.message,
        "configuration file \"/nonexistent/x.yaml\" cannot be read: No such file or directory");
    assert_null(config_load("/tmp", &error));
    assert_string_equal(error.message, "configuration file \"/tmp\" cannot be read: Is a directory");
    setenv("PGCONVOY_CONFIG", "/nonexistent/y.yaml", 1);
    assert_null(config_load(NULL, &error));
    assert_non_null(strstr(error.message, "y.yaml"));
}

/* The sample with its settings put into force: "  #key: value" loses the mark. */
static char *uncomment(const char *sample)
{
    char *text = strdup(sample);
    assert_non_null(text);
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "  #", 3) == 0 && line[3] != ' ')
            memmove(line + 2, line + 3, strlen(line + 3) + 1);
    }
    return text;
}

static void the_sample_holds_every_setting_with_its_default(void **state)
{
    (void)state;
    char *sample = config_sample();
    assert_non_null(sample);
    Config *config = load(sample);
    for (int id = 0; id < SETTING_COUNT; id++)
        assert_int_equal(config_source(config, (SettingId)id), SOURCE_DEFAULT);
    config_free(config);

    char *active = uncomment(sample);
    config = load(active);
    for (int id = 0; id < SETTING_COUNT; id++) {
        const Setting *setting = setting_get((SettingId)id);
        if (config_source(config, (SettingId)id) != SOURCE_FILE)
            fail_msg("the sample lacks %s", setting->path);
        assert_string_equal(config_text(config, (SettingId)id), setting->default_value);
        assert_int_equal(config_list(config, (SettingId)id)->count, 0);
    }
    config_free(config);
    free(active);
    free(sample);
}

#define TEST(name) cmocka_unit_test_setup(name, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_file_gives_the_defaults),
        TEST(values_of_every_type_are_read),
        TEST(json_is_yaml),
        TEST(variables_are_filled_in),
        TEST(databases_are_read),
        TEST(bad_files_are_refused_with_their_place),
        TEST(a_long_database_name_is_refused),
        TEST(flag_beats_environment_beats_file_beats_default),
        TEST(a_bad_variable_is_named),
        TEST(a_bad_flag_is_a_usage_error_and_changes_nothing),
        TEST(lists_come_from_the_environment_with_commas),
        TEST(a_higher_layer_replaces_the_way_to_find_tenants),
        TEST(database_url_alone_is_the_database_main),
        TEST(the_file_is_found_in_order),
        TEST(a_named_file_must_be_readable),
        TEST(the_sample_holds_every_setting_with_its_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
