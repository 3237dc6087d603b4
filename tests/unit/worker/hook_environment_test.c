#include "tests/support/test.h"
#include "worker/hook_environment.h"

static const char TEXT[] = "databases:\n"
                           "  - name: main\n"
                           "    url: postgresql://app:open%2Fsesame@db1:5432/app\n"
                           "  - name: other\n"
                           "    host: db2\n"
                           "    user: app\n"
                           "    dbname: app\n"
                           "    password: hush\n";

static TextList kept;

static int start(void **state)
{
    (void)state;
    kept = (TextList){0};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    text_list_clear(&kept);
    return 0;
}

static void keep(const char *const *environment)
{
    ERROR_CLEANUP Error error = {0};
    Config *config = config_load_text("test", TEXT, sizeof TEXT - 1, &error);
    assert_non_null(config);
    assert_true(hook_environment_keep((char *const *)environment, config, &kept, &error));
    config_free(config);
}

static void ordinary_variables_are_kept(void **state)
{
    (void)state;
    static const char *const PLAIN[] = {"PATH=/usr/bin:/usr/lib/postgresql/15/bin",
                                        "HOME=/home/app",
                                        "USER=app",
                                        "PGPASSFILE=/etc/pgpass",
                                        "PGHOST=db1",
                                        "PGCONVOY_CONFIG=/etc/pgconvoy.yaml",
                                        "EMPTY=",
                                        "A=b=c",
                                        NULL};
    keep(PLAIN);
    assert_int_equal(kept.count, 8);
    for (size_t i = 0; i < kept.count; i++)
        assert_string_equal(kept.items[i], PLAIN[i]);
}

static void nothing_that_opens_a_database_is_kept(void **state)
{
    (void)state;
    keep((const char *const[]){
        "DATABASE_URL=whatever", "BILLING_DATABASE_URL=whatever", "PGPASSWORD=whatever",
        "PGSSLPASSWORD=whatever", "PGCONVOY_URL=whatever", "PGCONVOY_DATABASES_URL_MAIN=whatever",
        "PGCONVOY_DB_PASSWORD=whatever", "FLEET=postgresql://app:open%2Fsesame@db1:5432/app",
        "ANY=postgres://u@h/d", "PAIRS=host=h user=u password=p", "MAIN_SECRET=open/sesame",
        "OTHER_SECRET=hush", "INSIDE=--dsn=postgresql://app:open%2Fsesame@db1:5432/app", "LANG=C", NULL});
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.items[0], "LANG=C");
}

static const char *value_of(char **environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static void the_facts_are_added(void **state)
{
    (void)state;
    keep((const char *const[]){"LANG=C", NULL});
    char **environment = hook_environment_build(&kept, &(HookFacts){.hook = "after_migration",
                                                                    .tenant = "acme",
                                                                    .schema = "tenant_acme",
                                                                    .database = "main",
                                                                    .run = "0123",
                                                                    .migration = "0001_a",
                                                                    .duration_ms = 42});
    assert_string_equal(value_of(environment, "LANG"), "C");
    assert_string_equal(value_of(environment, "PGCONVOY_HOOK"), "after_migration");
    assert_string_equal(value_of(environment, "PGCONVOY_TENANT"), "acme");
    assert_string_equal(value_of(environment, "PGCONVOY_SCHEMA"), "tenant_acme");
    assert_string_equal(value_of(environment, "PGCONVOY_DATABASE"), "main");
    assert_string_equal(value_of(environment, "PGCONVOY_RUN"), "0123");
    assert_string_equal(value_of(environment, "PGCONVOY_MIGRATION"), "0001_a");
    assert_string_equal(value_of(environment, "PGCONVOY_DURATION_MS"), "42");
    free(environment);
}

static void facts_that_there_are_not_are_absent_whatever_the_worker_was_given(void **state)
{
    (void)state;
    keep((const char *const[]){"PGCONVOY_TENANT=old", "PGCONVOY_MIGRATION=old", "PGCONVOY_RUN=old",
                               "PGCONVOY_DURATION_MS=1", "PGCONVOY_HOOK=old", "PGCONVOY_SCHEMA=old",
                               "PGCONVOY_DATABASE=old", NULL});
    char **environment = hook_environment_build(
        &kept,
        &(HookFacts){.hook = "before_tenant", .tenant = "acme", .schema = "tenant_acme", .duration_ms = -1});
    size_t count = 0;
    while (environment[count] != NULL)
        count++;
    assert_int_equal(count, 3);
    assert_string_equal(value_of(environment, "PGCONVOY_TENANT"), "acme");
    free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ordinary_variables_are_kept, start, stop),
        cmocka_unit_test_setup_teardown(nothing_that_opens_a_database_is_kept, start, stop),
        cmocka_unit_test_setup_teardown(the_facts_are_added, start, stop),
        cmocka_unit_test_setup_teardown(facts_that_there_are_not_are_absent_whatever_the_worker_was_given,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
