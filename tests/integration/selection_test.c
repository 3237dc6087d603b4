/* Who a run is about, and what the selection makes of it: sources of tenants, several databases, exclusions,
 * limits, deadlines, and the tracking formats that a user names. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <sys/stat.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;
static Fleet *fleet; /* five tenants, two migrations pending */

typedef struct Answer {
    int status;
    char *out, *err;
    json_t *json;
} Answer;

static Answer ask(const char *const words[])
{
    Answer answer = {0};
    answer.status = fleet_run(fleet, words, &answer.out, &answer.err);
    answer.json = json_loads(answer.out, 0, NULL);
    return answer;
}

static void forget(Answer *answer)
{
    json_decref(answer->json);
    free(answer->out);
    free(answer->err);
}

/* "database/id" or "id" of every entry of a status or migrate report, joined by spaces. */
static void names_of(const Answer *answer, char names[400])
{
    bool migrate = json_object_get(answer->json, "results") != NULL;
    json_t *list = json_object_get(answer->json, migrate ? "results" : "tenants"), *entry;
    size_t i;
    names[0] = '\0';
    json_array_foreach(list, i, entry)
    {
        const char *id = json_string_value(json_object_get(entry, migrate ? "tenantId" : "id"));
        const char *database = json_string_value(json_object_get(entry, "database"));
        size_t length = strlen(names);
        snprintf(names + length, 400 - length, "%s%s%s%s", i > 0 ? " " : "", database != NULL ? database : "",
                 database != NULL ? "/" : "", id != NULL ? id : "?");
    }
}

static void expect(const char *const words[], int status, const char *names)
{
    Answer answer = ask(words);
    if (answer.status != status)
        fail_msg("exit %d instead of %d: %s", answer.status, status, answer.err);
    char found[400];
    names_of(&answer, found);
    assert_string_equal(found, names);
    forget(&answer);
}

static void expect_refused(const char *const words[], int status, const char *says)
{
    Answer answer = ask(words);
    if (answer.status != status || strstr(answer.err, says) == NULL)
        fail_msg("exit %d instead of %d, saying \"%s\": %s", answer.status, status, says, answer.err);
    forget(&answer);
}

static void exclusions_and_limits_choose_from_the_list(void **state)
{
    (void)state;
    write_file(fleet->folder, "without.txt", "# left alone\nt0003\n\n");
    expect(WORDS("pgconvoy", "status", "--all", "--json"), 0, "t0001 t0002 t0003 t0004 t0005");
    expect(WORDS("pgconvoy", "status", "--all", "--json", "--exclude", "t0001,t0002"), 0,
           "t0003 t0004 t0005");
    expect(WORDS("pgconvoy", "status", "--all", "--json", "--exclude", "t0001", "--exclude", "t0005",
                 "--exclude-file", "without.txt"),
           0, "t0002 t0004");
    expect(WORDS("pgconvoy", "status", "--all", "--json", "--exclude", "t0001", "--limit", "2"), 0,
           "t0002 t0003");
    expect(WORDS("pgconvoy", "status", "--tenants", "t0004,t0001,t0004", "--json"), 0, "t0004 t0001 t0004");
}

static void every_source_of_tenants_gives_its_list(void **state)
{
    (void)state;
    static const struct {
        const char *tenants, *names;
    } SOURCES[] = {
        {"ids: [t0002, t0001]", "t0002 t0001"},
        {"file: list.txt", "t0005 t0004"},
        {"command: [printf, 't0003\\nt0001\\n']", "t0003 t0001"},
        {"command: [sh, -c, 'cat list.txt']", "t0005 t0004"},
        {"schemas: true", "t0001 t0002 t0003 t0004 t0005"},
        {"query: select id from public.tenants where id < 't0003' order by id desc", "t0002 t0001"},
    };
    write_file(fleet->folder, "list.txt", "t0005\nt0004\n");
    for (size_t i = 0; i < sizeof SOURCES / sizeof SOURCES[0]; i++) {
        char text[800];
        snprintf(
            text, sizeof text,
            "databases:\n  - name: main\n    url: %s\ntenants:\n  %s\nmigrations:\n  folder: ./migrations\n",
            fleet->url, SOURCES[i].tenants);
        write_file(fleet->folder, "pgconvoy.yaml", text);
        expect(WORDS("pgconvoy", "status", "--all", "--json"), 0, SOURCES[i].names);
    }
    fleet_configure(fleet, fleet->url, NULL);
}

static void a_list_may_come_by_stdin(void **state)
{
    (void)state;
    write_file(fleet->folder, "stdin.txt", "t0002\r\n# not this\nt0005\n");
    char path[300];
    snprintf(path, sizeof path, "%s/stdin.txt", fleet->folder);
    Process *process = process_start_with_input(
        fleet->folder, NULL, WORDS("pgconvoy", "status", "--tenants-file", "-", "--json"), path);
    assert_int_equal(process_wait(process, 60000), 0);
    char names[400], *out = process_out(process);
    Answer answer = {.json = json_loads(out, 0, NULL)};
    names_of(&answer, names);
    assert_string_equal(names, "t0002 t0005");
    json_decref(answer.json);
    free(out);
    process_free(process);
}

static void duplicates_of_a_query_are_dropped_with_a_warning(void **state)
{
    (void)state;
    char text[800];
    snprintf(text, sizeof text,
             "databases:\n  - name: main\n    url: %s\n"
             "tenants:\n  query: select 't000' || i from (values (1), (2), (1), (1)) v (i)\n"
             "migrations:\n  folder: ./migrations\n",
             fleet->url);
    write_file(fleet->folder, "pgconvoy.yaml", text);
    expect(WORDS("pgconvoy", "status", "--all", "--json"), 0, "t0001 t0002");
    expect_refused(WORDS("pgconvoy", "status", "--all", "--json"), 0, "2 duplicate tenants were dropped");
    fleet_configure(fleet, fleet->url, NULL);
}

static void several_databases_need_names_and_show_them(void **state)
{
    (void)state;
    Fleet *home = fleet, *second = fleet_new(cluster, 2);
    fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 1, NULL);
    char text[1200];
    snprintf(
        text, sizeof text,
        "databases:\n  - name: main\n    url: %s\n  - name: second\n    url: %s\n"
        "tenants:\n  query: select id from public.tenants order by id\nmigrations:\n  folder: ./migrations\n",
        fleet->url, second->url);
    write_file(fleet->folder, "pgconvoy.yaml", text);
    write_file(fleet->folder, "both.txt", "second\tt0001\nmain\tt0001\n");
    expect_refused(WORDS("pgconvoy", "migrate", "--tenants", "t0001"), 2, "ambiguous");
    expect_refused(WORDS("pgconvoy", "migrate", "--tenants", "third/t0001"), 2, "ambiguous");
    expect(WORDS("pgconvoy", "status", "--tenants", "second/t0002,main/t0001", "--json"), 0,
           "second/t0002 main/t0001");
    expect(WORDS("pgconvoy", "migrate", "--tenants-file", "both.txt", "--json"), 0,
           "second/t0001 main/t0001");
    assert_int_equal(sql_number(second->connection, "SELECT count(*) FROM public.marks"), 1);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 1);
    expect(WORDS("pgconvoy", "migrate", "--all", "--exclude", "second/t0002", "--json"), 0,
           "main/t0001 main/t0002 second/t0001");
    expect(WORDS("pgconvoy", "status", "--all", "--json", "--exit-code"), 3,
           "main/t0001 main/t0002 second/t0001 second/t0002");
    fleet_free(second);
    fleet_free(fleet);
    fleet = home;
}

static void a_deadline_lets_the_rest_be_skipped(void **state)
{
    (void)state;
    Fleet *home = fleet;
    fleet = fleet_new(cluster, 20);
    fleet_add_markers(fleet, 1, "0.4");
    Answer answer =
        ask(WORDS("pgconvoy", "migrate", "--all", "--concurrency", "2", "--deadline", "1500", "--json"));
    if (answer.status != 4)
        fail_msg("exit %d: %s", answer.status, answer.err);
    json_t *report = fleet_assert_report(fleet, answer.out);
    assert_true(json_number(report, "skipped") > 0);
    assert_int_equal(json_number(report, "failed"), 0);
    json_t *last = json_array_get(json_object_get(report, "results"), 19);
    assert_string_equal(json_string_value(json_object_get(last, "error")), "Skipped due to abort");
    json_decref(report);
    forget(&answer);
    fleet_free(fleet);
    fleet = home;
}

static void a_deadline_before_anything_started_is_no_interruption(void **state)
{
    (void)state;
    expect_refused(
        WORDS("pgconvoy", "migrate", "--all", "--deadline", "1500", "--listen", fleet_endpoint(), "--plain"),
        4, "nothing was changed");
}

/* From here on the tenants are migrated. */
static void a_verdict_is_given_when_asked_for(void **state)
{
    (void)state;
    expect(WORDS("pgconvoy", "status", "--tenants", "t0001", "--json", "--exit-code"), 3, "t0001");
    expect(WORDS("pgconvoy", "migrate", "--all", "--json"), 0, "t0001 t0002 t0003 t0004 t0005");
    expect(WORDS("pgconvoy", "status", "--tenants", "t0001", "--json", "--exit-code"), 0, "t0001");
}

static void a_locked_tenant_does_not_hide_the_others(void **state)
{
    (void)state;
    PGconn *holder = cluster_connect(cluster, fleet->database);
    sql_run(holder, "BEGIN; LOCK TABLE tenant_t0003.__drizzle_migrations IN ACCESS EXCLUSIVE MODE");
    Answer answer = ask(WORDS("pgconvoy", "status", "--all", "--json"));
    assert_int_equal(answer.status, 1);
    json_t *summary = json_object_get(answer.json, "summary");
    assert_int_equal(json_integer_value(json_object_get(summary, "upToDate")), 4);
    assert_int_equal(json_integer_value(json_object_get(summary, "error")), 1);
    json_t *third = json_array_get(json_object_get(answer.json, "tenants"), 2);
    assert_string_equal(json_string_value(json_object_get(third, "status")), "error");
    assert_non_null(strstr(json_string_value(json_object_get(third, "error")), "lock"));
    forget(&answer);
    PQfinish(holder);
}

static void a_format_that_the_table_has_not_is_refused(void **state)
{
    (void)state;
    char *before = fleet_digest(fleet);
    Answer answer = ask(WORDS("pgconvoy", "migrate", "--tenants", "t0001", "--format", "hash", "--json"));
    if (answer.status != 1)
        fail_msg("exit %d: %s%s", answer.status, answer.out, answer.err);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    forget(&answer);
}

static void a_file_edited_after_it_was_applied_is_told_or_refused(void **state)
{
    (void)state;
    Fleet *home = fleet;
    fleet = fleet_new(cluster, 2);
    /* Its time in the journal is what tells an edited file from a new one. */
    char meta[300];
    snprintf(meta, sizeof meta, "%s/migrations/meta", fleet->folder);
    assert_int_equal(mkdir(meta, 0755), 0);
    write_file(
        fleet->folder, "migrations/meta/_journal.json",
        "{\"version\":\"7\",\"dialect\":\"postgresql\",\"entries\":"
        "[{\"idx\":0,\"version\":\"7\",\"when\":1700000000000,\"tag\":\"0001_a\",\"breakpoints\":true}]}");
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE a (i int);");
    expect(WORDS("pgconvoy", "migrate", "--all", "--default-format", "drizzle-kit", "--json"), 0,
           "t0001 t0002");
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE a (i bigint);");
    char *before = fleet_digest(fleet);
    expect_refused(WORDS("pgconvoy", "migrate", "--all", "--strict"), 1, "changed");
    expect_refused(WORDS("pgconvoy", "migrate", "--all"), 0, "changed");
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
    fleet = home;
}

/* Without a journal an edited file looks like a new one beside a deleted one: told of, and refused when asked
 * to. */
static void a_file_that_may_be_an_edited_one_is_told_of_or_refused(void **state)
{
    (void)state;
    Fleet *home = fleet;
    fleet = fleet_new(cluster, 2);
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE a (i int);");
    expect(WORDS("pgconvoy", "migrate", "--all", "--strict", "--default-format", "hash", "--json"), 0,
           "t0001 t0002");
    fleet_add_migration(fleet, "0001_a", "CREATE TABLE IF NOT EXISTS a (i bigint);");
    char *before = fleet_digest(fleet);
    expect_refused(WORDS("pgconvoy", "migrate", "--all", "--strict"), 1, "may have been changed");
    expect_refused(WORDS("pgconvoy", "migrate", "--all", "--dry-run"), 0,
                   "2 tenants: hashes are recorded that no file has");
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    expect_refused(WORDS("pgconvoy", "sync", "--all", "--clean-orphans"), 0, "");
    expect(WORDS("pgconvoy", "migrate", "--all", "--strict", "--json"), 0, "t0001 t0002");
    fleet_free(fleet);
    fleet = home;
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 100");
    fleet = fleet_new(cluster, 5);
    fleet_add_markers(fleet, 2, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fleet_free(fleet);
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusions_and_limits_choose_from_the_list),
        cmocka_unit_test(every_source_of_tenants_gives_its_list),
        cmocka_unit_test(a_list_may_come_by_stdin),
        cmocka_unit_test(duplicates_of_a_query_are_dropped_with_a_warning),
        cmocka_unit_test(several_databases_need_names_and_show_them),
        cmocka_unit_test(a_deadline_lets_the_rest_be_skipped),
        cmocka_unit_test(a_deadline_before_anything_started_is_no_interruption),
        cmocka_unit_test(a_verdict_is_given_when_asked_for),
        cmocka_unit_test(a_locked_tenant_does_not_hide_the_others),
        cmocka_unit_test(a_format_that_the_table_has_not_is_refused),
        cmocka_unit_test(a_file_edited_after_it_was_applied_is_told_or_refused),
        cmocka_unit_test(a_file_that_may_be_an_edited_one_is_told_of_or_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
