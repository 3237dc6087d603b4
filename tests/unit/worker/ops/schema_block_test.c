#include "tests/support/test.h"
#include "worker/ops/schema_block.h"
#include "worker/pg/session.h"
#include "worker/pg/tenant_lock.h"
#include <stdio.h>

static size_t statements_before(const char *sql, const char *part)
{
    size_t count = 0;
    for (const char *end = strstr(sql, part); end > sql; end--)
        count += end[-1] == ';';
    return count;
}

static char *build(const SchemaBlockRequest *request)
{
    ERROR_CLEANUP Error error = {0};
    MigrationBlock block = {0};
    assert_true(schema_block_build(request, &block, &error));
    assert_int_equal(block.settings, 0);
    assert_int_equal(block.lead, statements_before(block.sql, "DO $")); /* counts results */
    return block.sql;
}

static void expect(const SchemaBlockRequest *request, const char *text, bool there)
{
    char *sql = build(request);
    if ((strstr(sql, text) != NULL) != there)
        fail_msg("%s%s in: %s", there ? "no " : "", text, sql);
    free(sql);
}

static const SchemaBlockRequest CREATE = {.action = SCHEMA_CREATE, .schema = "t"};
static const SchemaBlockRequest DROP = {.action = SCHEMA_DROP, .schema = "t", .oid = "16384"};

static void every_block_takes_the_tenant_s_lock_and_cleans_up(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    int64_t key;
    char lock[80];
    assert_true(tenant_lock_key("t", &key, &error));
    snprintf(lock, sizeof lock, "pg_try_advisory_xact_lock(%lld)", (long long)key);
    const SchemaBlockRequest *const requests[] = {&CREATE, &DROP};
    for (size_t i = 0; i < 2; i++) {
        expect(requests[i], lock, true);
        expect(requests[i], "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;", true);
        char *sql = build(requests[i]);
        assert_string_equal(sql + strlen(sql) - strlen(SESSION_TAIL), SESSION_TAIL);
        free(sql);
    }
}

static void a_probe_changes_nothing(void **state)
{
    (void)state;
    SchemaBlockRequest create = CREATE, drop = DROP;
    create.probe = drop.probe = true;
    expect(&create, "CREATE SCHEMA", false);
    expect(&drop, "DROP SCHEMA", false);
}

static void a_drop_looks_for_foreign_dependents_unless_told_not_to(void **state)
{
    (void)state;
    SchemaBlockRequest drop = DROP;
    expect(&drop, SCHEMA_DEPENDENTS_SQLSTATE, true);
    expect(&drop, "DROP SCHEMA IF EXISTS \"t\" CASCADE;", true);
    drop.no_cascade = true;
    expect(&drop, "DROP SCHEMA IF EXISTS \"t\" RESTRICT;", true);
    expect(&drop, SCHEMA_DEPENDENTS_SQLSTATE, true);
    drop.no_cascade = false;
    drop.cascade_foreign = true;
    expect(&drop, SCHEMA_DEPENDENTS_SQLSTATE, false);
}

static void names_stay_inside_their_quotes(void **state)
{
    (void)state;
    SchemaBlockRequest drop = DROP;
    drop.schema = "a\"; DROP SCHEMA b; --";
    expect(&drop, "DROP SCHEMA IF EXISTS \"a\"\"; DROP SCHEMA b; --\" CASCADE;", true);
    drop.schema = "a'b\\c";
    expect(&drop, "nspname =  E'a''b\\\\c'", true);
    drop.schema = "$pgc0$";
    expect(&drop, "DO $pgc1$", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_takes_the_tenant_s_lock_and_cleans_up),
        cmocka_unit_test(a_probe_changes_nothing),
        cmocka_unit_test(a_drop_looks_for_foreign_dependents_unless_told_not_to),
        cmocka_unit_test(names_stay_inside_their_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
