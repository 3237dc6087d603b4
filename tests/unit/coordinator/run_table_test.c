/* The run table: whatever the order in which attempts are heard of, the same is known in the end. */
#include "common/record_set.h"
#include "coordinator/run_table.h"
#include "tests/support/test.h"
#include <stdio.h>

/* What one attempt says; lists are NULL-terminated. */
typedef struct Word {
    uint32_t attempt;
    Outcome outcome;
    const char *applied[4], *already[4];
    const char *error;
} Word;

typedef struct Case {
    const char *name;
    size_t count;
    Word words[4];
    TenantState state;
    const char *applied, *recovered, *error; /* in the end; lists joined by commas */
} Case;

static const Case CASES[] = {
    {"one success",
     1,
     {{1, OUTCOME_APPLIED, {"a", "b", "c"}, {0}, NULL}},
     TENANT_SUCCEEDED,
     "a,b,c",
     "",
     NULL},
    {"a failure half-way", 1, {{1, OUTCOME_ERROR, {"a"}, {0}, "boom"}}, TENANT_FAILED, "a", "", "boom"},
    {"the lost attempt's work is recovered",
     2,
     {{1, OUTCOME_NOT_STARTED, {0}, {0}, NULL}, {2, OUTCOME_APPLIED, {"c"}, {"a", "b"}, NULL}},
     TENANT_SUCCEEDED,
     "a,b,c",
     "a,b",
     NULL},
    {"a late failure takes nothing back",
     2,
     {{1, OUTCOME_ERROR, {"a"}, {0}, "late"}, {2, OUTCOME_APPLIED, {"b", "c"}, {0}, NULL}},
     TENANT_SUCCEEDED,
     "a,b,c",
     "",
     NULL},
    {"of two failures the newer one speaks",
     2,
     {{1, OUTCOME_ERROR, {"a"}, {0}, "old"}, {2, OUTCOME_ERROR, {"b"}, {0}, "new"}},
     TENANT_FAILED,
     "a,b",
     "",
     "new"},
    {"duplicates count once",
     4,
     {{1, OUTCOME_APPLIED, {"a", "b"}, {0}, NULL},
      {1, OUTCOME_APPLIED, {"a", "b"}, {0}, NULL},
      {2, OUTCOME_ALREADY, {0}, {0}, NULL},
      {1, OUTCOME_APPLIED, {"a", "b"}, {0}, NULL}},
     TENANT_SUCCEEDED,
     "a,b",
     "",
     NULL},
    {"busy, then done",
     3,
     {{1, OUTCOME_BUSY, {0}, {0}, "locked"},
      {2, OUTCOME_BUSY, {0}, {0}, "locked"},
      {3, OUTCOME_APPLIED, {"a", "b", "c"}, {0}, NULL}},
     TENANT_SUCCEEDED,
     "a,b,c",
     "",
     NULL},
    {"cancelled by a drain after the first migration, finished elsewhere",
     2,
     {{1, OUTCOME_NOT_STARTED, {"a"}, {0}, "cancelled"}, {2, OUTCOME_APPLIED, {"b", "c"}, {0}, NULL}},
     TENANT_SUCCEEDED,
     "a,b,c",
     "",
     NULL},
    {"what a first attempt finds is somebody else's work",
     1,
     {{1, OUTCOME_APPLIED, {"c"}, {"a", "b"}, NULL}},
     TENANT_SUCCEEDED,
     "c",
     "",
     NULL},
    {"what was not pending is nobody's news",
     1,
     {{2, OUTCOME_APPLIED, {"a"}, {"elder"}, NULL}},
     TENANT_SUCCEEDED,
     "a",
     "",
     NULL},
};

static const char *const PLAN[] = {"a", "b", "c", NULL};

static void add_all(TextList *list, const char *const *names)
{
    for (; *names != NULL; names++)
        assert_true(text_list_add(list, *names));
}

static void join(const TextList *list, char text[64])
{
    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        strcat(text, i > 0 ? "," : "");
        strcat(text, list->items[i]);
    }
}

/* A report about tenants t1, t2, ... */
static RunReport new_report(size_t tenants)
{
    ERROR_CLEANUP Error error = {0};
    RunReport report = {0};
    char id[16];
    for (size_t i = 1; i <= tenants; i++) {
        snprintf(id, sizeof id, "t%zu", i);
        assert_true(tenant_list_add(&report.tenants, "main", id, &error));
    }
    assert_true(tenant_list_resolve(&report.tenants, "tenant_{id}", &error));
    assert_true(run_table_new(&report, &error));
    return report;
}

static void plan(RunReport *report, size_t index, Outcome outcome, const char *status,
                 const char *const *pending)
{
    ERROR_CLEANUP Error error = {0};
    TenantMigrationStatus news = {.status = strdup(status), .tenant_id = strdup("as the worker says")};
    add_all(&news.pending_migrations, pending);
    assert_true(run_entry_plan(report, index, outcome, &news, &error));
    record_clear(&TENANT_MIGRATION_STATUS, &news);
}

static void merge_word(RunReport *report, const Word *word)
{
    ERROR_CLEANUP Error error = {0};
    TenantMigrationResult result = {.success = outcome_state(word->outcome) == TENANT_SUCCEEDED};
    add_all(&result.applied_migrations, word->applied);
    add_all(&result.already, word->already);
    result.error = word->error != NULL ? strdup(word->error) : NULL;
    uint64_t key;
    assert_true(run_entry_merge(report, 0, word->outcome, word->attempt, &result, &key, &error));
    record_clear(&TENANT_MIGRATION_RESULT, &result);
}

static void check_order(const Case *want, const size_t *order)
{
    ERROR_CLEANUP Error error = {0};
    RunReport report = new_report(1);
    plan(&report, 0, OUTCOME_ALREADY, "behind", PLAN);
    for (size_t i = 0; i < want->count; i++)
        merge_word(&report, &want->words[order[i]]);
    assert_int_equal(report.entries[0].state, want->state);
    char applied[64], recovered[64];
    TenantMigrationResult result = run_report_result(&report, 0);
    join(&result.applied_migrations, applied);
    join(&result.recovered, recovered);
    if (strcmp(applied, want->applied) != 0 || strcmp(recovered, want->recovered) != 0)
        fail_msg("%s: applied \"%s\", recovered \"%s\"", want->name, applied, recovered);
    Outcome outcome = want->state == TENANT_SUCCEEDED ? OUTCOME_APPLIED : OUTCOME_ERROR;
    assert_true(run_entry_finish(&report, 0, want->state, outcome, 3, &error));
    result = run_report_result(&report, 0);
    assert_int_equal(result.attempts, 3);
    assert_string_equal(result.tenant_id, "t1");
    if (want->error == NULL)
        assert_null(result.error);
    else
        assert_string_equal(result.error, want->error);
    run_report_clear(&report);
}

/* Every order of `count` words, by Heap's algorithm. */
static void check_orders(const Case *want, size_t *order, size_t count)
{
    if (count <= 1) {
        check_order(want, order);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        check_orders(want, order, count - 1);
        size_t other = count % 2 ? 0 : i, held = order[other];
        order[other] = order[count - 1];
        order[count - 1] = held;
    }
}

static void every_order_of_words_ends_in_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        check_orders(&CASES[i], (size_t[]){0, 1, 2, 3}, CASES[i].count);
}

static void equal_failures_have_equal_keys_and_others_do_not(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    static const char *const FAILURES[][2] = {{"42P01", "a"}, {"42P01", "a"}, {"42P01", "b"},
                                              {"42601", "a"}, {NULL, "a"},    {"42P01", NULL}};
    uint64_t keys[6];
    RunReport report = new_report(6);
    for (size_t i = 0; i < 6; i++) {
        TenantMigrationResult result = {
            .sqlstate = FAILURES[i][0] != NULL ? strdup(FAILURES[i][0]) : NULL,
            .migration = FAILURES[i][1] != NULL ? strdup(FAILURES[i][1]) : NULL,
        };
        assert_true(run_entry_merge(&report, i, OUTCOME_ERROR, 1, &result, &keys[i], &error));
        record_clear(&TENANT_MIGRATION_RESULT, &result);
    }
    run_report_clear(&report);
    assert_true(keys[0] != 0 && keys[0] == keys[1]);
    assert_true(keys[0] != keys[2] && keys[0] != keys[3]);
    assert_int_equal(keys[4], 0);
    assert_int_equal(keys[5], 0);
}

static void a_tenant_that_never_ran_is_skipped_with_the_contracts_words(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    RunReport report = new_report(1);
    report.several_databases = true;
    assert_true(run_entry_finish(&report, 0, TENANT_PENDING, OUTCOME_NOT_STARTED, 0, &error));
    assert_int_equal(report.entries[0].state, TENANT_SKIPPED);
    TenantMigrationResult result = run_report_result(&report, 0);
    assert_false(result.success);
    assert_string_equal(result.error, "Skipped due to abort");
    assert_string_equal(result.database, "main");
    run_report_clear(&report);
}

static void a_later_failure_to_read_does_not_undo_a_plan(void **state)
{
    (void)state;
    static const char *const NOTHING[] = {NULL};
    RunReport report = new_report(1);
    plan(&report, 0, OUTCOME_ALREADY, "ok", NOTHING);
    plan(&report, 0, OUTCOME_ERROR, "error", NOTHING);
    assert_string_equal(run_report_status(&report, 0).status, "ok");
    assert_false(run_entry_needs_work(&report.entries[0], false));
    run_report_clear(&report);
}

/* It goes from worker to worker: one that makes it long must not make everybody's jobs too large. */
static void a_plans_word_is_kept_while_it_is_short(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"drizzle-kit 1000000", "name 5 and much more than any worker says"};
    for (size_t i = 0; i < 2; i++) {
        ERROR_CLEANUP Error error = {0};
        RunReport report = new_report(1);
        TenantMigrationStatus status = {.status = strdup("behind"), .plan = strdup(WORDS[i])};
        assert_true(run_entry_plan(&report, 0, OUTCOME_ALREADY, &status, &error));
        record_clear(&TENANT_MIGRATION_STATUS, &status);
        const char *kept = report.entries[0].plan->plan;
        assert_string_equal(kept != NULL ? kept : "", i == 0 ? WORDS[0] : "");
        assert_null(run_report_status(&report, 0).plan);
        run_report_clear(&report);
    }
}

static void a_tenant_without_a_status_still_has_a_name(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    RunReport report = new_report(1);
    assert_true(run_entry_needs_work(&report.entries[0], false));
    assert_true(run_entry_fill_status(&report, 0, OUTCOME_NOT_STARTED, &error));
    TenantMigrationStatus status = run_report_status(&report, 0);
    assert_string_equal(status.tenant_id, "t1");
    assert_string_equal(status.status, "error");
    assert_string_equal(status.error, "Skipped due to abort");
    assert_null(status.database);
    run_report_clear(&report);
}

/* A fleet of which everybody says nearly the same takes 100 bytes a tenant: entry, record, id and schema. */
static void what_tenants_have_alike_is_kept_once(void **state)
{
    (void)state;
    enum { TENANTS = 20000 };
    ERROR_CLEANUP Error error = {0};
    RunReport report = new_report(TENANTS);
    for (size_t i = 0; i < TENANTS; i++) {
        uint64_t key;
        TenantMigrationResult result = {.success = true, .duration_ms = (int64_t)i};
        plan(&report, i, OUTCOME_ALREADY, "behind", PLAN);
        add_all(&result.applied_migrations, PLAN);
        result.tenant_id = strdup(report.tenants.items[i].id);
        assert_true(run_entry_merge(&report, i, OUTCOME_APPLIED, 1, &result, &key, &error));
        record_clear(&TENANT_MIGRATION_RESULT, &result);
        assert_true(run_entry_finish(&report, i, TENANT_SUCCEEDED, OUTCOME_APPLIED, 1, &error));
    }
    assert_int_equal(record_set_count(report.plans), 1);
    assert_int_equal(record_set_count(report.results), 1);
    assert_int_equal(run_report_result(&report, 77).duration_ms, 77);
    assert_string_equal(run_report_result(&report, 77).tenant_id, "t78");
    assert_true(run_table_bytes(&report) < (size_t)TENANTS * 100);
    run_report_clear(&report);
}

static void totals_are_counted_from_the_entries(void **state)
{
    (void)state;
    RunEntry entries[] = {{.state = TENANT_SUCCEEDED},
                          {.state = TENANT_FAILED},
                          {.state = TENANT_SKIPPED},
                          {.state = TENANT_SUCCEEDED},
                          {.state = TENANT_PENDING}};
    RunReport report = {.entries = entries, .count = 5};
    EngineTotals totals = run_table_totals(&report);
    assert_int_equal(totals.total, 5);
    assert_int_equal(totals.succeeded, 2);
    assert_int_equal(totals.failed, 1);
    assert_int_equal(totals.skipped, 1);
    assert_int_equal(totals.pending, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_words_ends_in_the_same),
        cmocka_unit_test(equal_failures_have_equal_keys_and_others_do_not),
        cmocka_unit_test(a_tenant_that_never_ran_is_skipped_with_the_contracts_words),
        cmocka_unit_test(a_later_failure_to_read_does_not_undo_a_plan),
        cmocka_unit_test(a_plans_word_is_kept_while_it_is_short),
        cmocka_unit_test(a_tenant_without_a_status_still_has_a_name),
        cmocka_unit_test(what_tenants_have_alike_is_kept_once),
        cmocka_unit_test(totals_are_counted_from_the_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
