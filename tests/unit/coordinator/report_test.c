/* What a finished run looks like: the contract's JSON, tables for people, and the line that runs the failed
 * again.
 */
#include "coordinator/report.h"
#include "tests/support/test.h"
#include <jansson.h>

enum { MANY = 60 };

typedef struct Fixture {
    RunReport report;
    RunEntry entries[MANY];
    TenantMigrationResult results[MANY];
    TenantMigrationStatus plans[MANY];
    Tenant tenants[MANY];
} Fixture;

static void add(Fixture *fixture, const char *id, TenantState state, const char *error)
{
    size_t i = fixture->report.count++;
    fixture->tenants[i] =
        (Tenant){.database = (char *)"main", .id = (char *)id, .schema = (char *)"tenant_x"};
    fixture->results[i] =
        (TenantMigrationResult){.success = state == TENANT_SUCCEEDED,
                                .error = (char *)error,
                                .sqlstate = error != NULL ? (char *)"42P01" : NULL,
                                .migration = error != NULL ? (char *)"0002_b" : NULL,
                                .line = error != NULL ? 7 : 0,
                                .outcome = (char *)(state == TENANT_SUCCEEDED ? "applied" : "error")};
    fixture->plans[i] =
        (TenantMigrationStatus){.status = (char *)(state == TENANT_SUCCEEDED ? "ok" : "behind")};
    fixture->entries[i] = (RunEntry){.tenant = &fixture->tenants[i],
                                     .plan = &fixture->plans[i],
                                     .result = &fixture->results[i],
                                     .state = state};
    fixture->report.entries = fixture->entries;
    size_t *counts[] = {[TENANT_PENDING] = &fixture->report.totals.pending,
                        [TENANT_SKIPPED] = &fixture->report.totals.skipped,
                        [TENANT_FAILED] = &fixture->report.totals.failed,
                        [TENANT_SUCCEEDED] = &fixture->report.totals.succeeded};
    ++*counts[state];
    fixture->report.totals.total++;
    fixture->report.duration_ms = 1234;
}

typedef struct Text {
    char *bytes;
    size_t size;
} Text;

static FILE *text_open(Text *text)
{
    FILE *file = open_memstream(&text->bytes, &text->size);
    assert_non_null(file);
    return file;
}

static char *last_words(const Fixture *fixture)
{
    Text text = {0};
    FILE *file = text_open(&text);
    report_last_words(file, &fixture->report, "pgconvoy migrate");
    fclose(file);
    return text.bytes;
}

static json_t *migrate_json(const Fixture *fixture, const Error *reason)
{
    ERROR_CLEANUP Error error = {0};
    Text text = {0};
    FILE *file = text_open(&text);
    assert_true(report_migrate_json(file, &fixture->report, reason, &error));
    fclose(file);
    json_t *document = json_loads(text.bytes, 0, NULL);
    assert_non_null(document);
    free(text.bytes);
    return document;
}

static void a_migrate_report_has_the_contracts_members(void **state)
{
    (void)state;
    Fixture fixture = {0};
    add(&fixture, "a", TENANT_SUCCEEDED, NULL);
    add(&fixture, "b", TENANT_FAILED, "relation \"x\" does not exist");
    json_t *document = migrate_json(&fixture, NULL);
    assert_int_equal(json_object_size(document), 2);
    json_t *first = json_array_get(json_object_get(document, "results"), 0);
    json_t *second = json_array_get(json_object_get(document, "results"), 1);
    assert_string_equal(json_string_value(json_object_get(first, "tenantId")), "a");
    assert_string_equal(json_string_value(json_object_get(first, "schema")), "tenant_x");
    assert_true(json_is_true(json_object_get(first, "success")));
    assert_null(json_object_get(first, "database"));
    assert_null(json_object_get(first, "already"));
    assert_string_equal(json_string_value(json_object_get(second, "error")), "relation \"x\" does not exist");
    assert_int_equal(json_integer_value(json_object_get(second, "line")), 7);
    json_t *summary = json_object_get(document, "summary");
    assert_int_equal(json_integer_value(json_object_get(summary, "total")), 2);
    assert_int_equal(json_integer_value(json_object_get(summary, "averageMs")), 617);
    json_decref(document);
}

/* Row by row, or all of it at once: nobody can see which. */
static void a_report_is_laid_out_like_any_document(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0}, reason = {0};
    error_set(&reason, ERROR_NO_WORKERS, "3 tenants wait");
    for (int tenants = 0; tenants <= 3; tenants++) {
        Fixture fixture = {0};
        for (int i = 0; i < tenants; i++)
            add(&fixture, "a\n\"b\"", i == 1 ? TENANT_FAILED : TENANT_SUCCEEDED, i == 1 ? "boom" : NULL);
        char *names[] = {(char *)"0001_a", (char *)"0002_b"};
        fixture.results[0].applied_migrations = (TextList){names, tenants > 0 ? 2 : 0};
        Text text = {0};
        FILE *file = text_open(&text);
        assert_true(report_migrate_json(file, &fixture.report, tenants > 1 ? &reason : NULL, &error));
        fclose(file);
        json_t *document = json_loads(text.bytes, 0, NULL);
        char *again = json_dumps(document, JSON_INDENT(2));
        assert_non_null(again);
        assert_int_equal(strlen(again) + 1, strlen(text.bytes));
        assert_int_equal(strncmp(again, text.bytes, strlen(again)), 0);
        free(again);
        json_decref(document);
        free(text.bytes);
    }
}

static void a_run_that_broke_off_says_why_beside_what_was_done(void **state)
{
    (void)state;
    Fixture fixture = {0};
    ERROR_CLEANUP Error reason = {0};
    error_set(&reason, ERROR_NO_WORKERS, "3 tenants wait");
    error_set_hint(&reason, "start workers");
    add(&fixture, "a", TENANT_SUCCEEDED, NULL);
    json_t *document = migrate_json(&fixture, &reason);
    assert_string_equal(json_string_value(json_object_get(document, "error")), "3 tenants wait");
    assert_string_equal(json_string_value(json_object_get(document, "code")), "no_workers");
    assert_string_equal(json_string_value(json_object_get(document, "suggestion")), "start workers");
    assert_int_equal(json_array_size(json_object_get(document, "results")), 1);
    json_decref(document);
}

static void an_empty_run_has_no_average(void **state)
{
    (void)state;
    Fixture fixture = {0};
    json_t *document = migrate_json(&fixture, NULL);
    assert_int_equal(json_array_size(json_object_get(document, "results")), 0);
    assert_null(json_object_get(json_object_get(document, "summary"), "averageMs"));
    json_decref(document);
}

static void a_status_report_counts_by_status(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Fixture fixture = {0};
    add(&fixture, "a", TENANT_SUCCEEDED, NULL);
    add(&fixture, "b", TENANT_FAILED, NULL);
    Text text = {0};
    FILE *file = text_open(&text);
    assert_true(report_status_json(file, &fixture.report, &error));
    fclose(file);
    json_t *document = json_loads(text.bytes, 0, NULL), *summary = json_object_get(document, "summary");
    assert_int_equal(json_integer_value(json_object_get(summary, "upToDate")), 1);
    assert_int_equal(json_integer_value(json_object_get(summary, "behind")), 1);
    assert_int_equal(json_integer_value(json_object_get(summary, "error")), 0);
    json_decref(document);
    free(text.bytes);
}

static void the_rerun_line_survives_a_shell(void **state)
{
    (void)state;
    static const struct {
        const char *id, *rerun;
    } ROWS[] = {
        {"plain-1", "rerun: pgconvoy migrate --tenants plain-1\n"},
        {"it's", "rerun: pgconvoy migrate --tenants 'it'\\''s'\n"},
        {"$(rm -r)", "rerun: pgconvoy migrate --tenants '$(rm -r)'\n"},
        {"a/b", "rerun: pgconvoy migrate --tenants main/a/b\n"},
        {"a,b", "rerun: pgconvoy migrate --all (tenants that are up to"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        Fixture fixture = {0};
        add(&fixture, "fine", TENANT_SUCCEEDED, NULL);
        add(&fixture, ROWS[i].id, TENANT_FAILED, "boom");
        char *words = last_words(&fixture);
        if (strstr(words, ROWS[i].rerun) == NULL)
            fail_msg("no \"%s\" in: %s", ROWS[i].rerun, words);
        free(words);
    }
}

static void equal_errors_are_one_line_and_the_most_frequent_comes_first(void **state)
{
    (void)state;
    static const char *const ERRORS[] = {"e1", "e2", "e3", "e4", "e5", "e6", "e7"};
    Fixture fixture = {0};
    for (size_t kind = 0; kind < 7; kind++)
        for (size_t i = 0; i <= kind; i++)
            add(&fixture, "t", TENANT_FAILED, ERRORS[kind]);
    char *words = last_words(&fixture);
    assert_int_equal(
        strncmp(words, "error: 7 tenants: migration 0002_b:7: e7 (SQLSTATE 42P01) (such as \"t\")\n", 60), 0);
    assert_non_null(strstr(words, "e3 ("));
    assert_null(strstr(words, "e2 ("));
    assert_non_null(strstr(words, "and 2 more kinds of error"));
    assert_non_null(strstr(words, "total 28: 0 succeeded, 28 failed, 0 skipped in 1.234 s"));
    free(words);
}

static void many_tenants_are_grouped_and_few_are_named(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    for (int details = 0; details <= 1; details++) {
        Fixture fixture = {0};
        for (int i = 0; i < 40; i++)
            add(&fixture, "alike", TENANT_SUCCEEDED, NULL);
        add(&fixture, "odd", TENANT_FAILED, "boom");
        Text text = {0};
        FILE *file = text_open(&text);
        assert_true(report_migrate_text(file, &fixture.report, false, details, &error));
        fclose(file);
        size_t lines = 0;
        for (const char *c = text.bytes; *c != '\0'; c++)
            lines += *c == '\n';
        assert_int_equal(lines, details ? 42 : 3);
        assert_non_null(strstr(text.bytes, "boom"));
        free(text.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_migrate_report_has_the_contracts_members),
        cmocka_unit_test(a_report_is_laid_out_like_any_document),
        cmocka_unit_test(a_run_that_broke_off_says_why_beside_what_was_done),
        cmocka_unit_test(an_empty_run_has_no_average),
        cmocka_unit_test(a_status_report_counts_by_status),
        cmocka_unit_test(the_rerun_line_survives_a_shell),
        cmocka_unit_test(equal_errors_are_one_line_and_the_most_frequent_comes_first),
        cmocka_unit_test(many_tenants_are_grouped_and_few_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
