/* diff and introspect as a user runs them. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <string.h>

static Cluster *cluster;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Fleet *migrated_fleet(int tenants)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    fleet_add_migration(fleet, "0001_users.sql",
                        "CREATE TABLE users (id serial PRIMARY KEY, email varchar(100) NOT NULL UNIQUE);"
                        "CREATE INDEX users_lower ON users (lower(email));");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--quiet"), &out, &err), 0);
    free(out);
    free(err);
    return fleet;
}

/* The report of a run that ends like this. */
static json_t *json_of(Fleet *fleet, const char *const words[], int status)
{
    char *out, *err;
    int ended = fleet_run(fleet, words, &out, &err);
    if (ended != status)
        print_message("%s%s", out, err);
    assert_int_equal(ended, status);
    json_t *report = json_loads(out, 0, NULL);
    assert_non_null(report);
    free(out);
    free(err);
    return report;
}

static void assert_text(Fleet *fleet, const char *const words[], int status, const char *expected)
{
    char *out, *err;
    int ended = fleet_run(fleet, words, &out, &err);
    assert_string_equal(out, expected);
    assert_int_equal(ended, status);
    free(out);
    free(err);
}

static void assert_summary(json_t *report, long long total, long long same, long long with, long long errors)
{
    assert_int_equal(json_number(report, "total"), total);
    assert_int_equal(json_number(report, "noDrift"), same);
    assert_int_equal(json_number(report, "withDrift"), with);
    assert_int_equal(json_number(report, "error"), errors);
}

static json_t *tenant_of(json_t *report, size_t at)
{
    return json_array_get(json_object_get(report, "tenants"), at);
}

static const char *id_of(json_t *report, size_t at)
{
    return json_string_value(json_object_get(tenant_of(report, at), "id"));
}

static void tenants_of_one_migrate_do_not_differ(void **state)
{
    (void)state;
    Fleet *fleet = migrated_fleet(150);
    json_t *report = json_of(fleet, WORDS("pgconvoy", "diff", "--json"), 0);
    assert_summary(report, 150, 150, 0, 0);
    assert_string_equal(json_string_value(json_object_get(report, "referenceTenant")), "t0001");
    json_decref(report);
    assert_text(fleet, WORDS("pgconvoy", "diff"), 0,
                "reference: t0001 (tenant_t0001, 1 tables)\n150 tenants: 150 like the reference, 0 errors\n");
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void tenants_that_differ_in_one_way_are_one_paragraph(void **state)
{
    (void)state;
    Fleet *fleet = migrated_fleet(5);
    sql_run(fleet->connection, "ALTER TABLE tenant_t0002.users ALTER email TYPE varchar(200);"
                               "ALTER TABLE tenant_t0004.users ALTER email TYPE varchar(200);"
                               "DROP INDEX tenant_t0005.users_lower");
    assert_text(
        fleet, WORDS("pgconvoy", "diff"), 5,
        "reference: t0001 (tenant_t0001, 1 tables)\n\n"
        "2 tenants, 1 issue: t0002, t0004\n"
        "  users: Column \"email\" type mismatch: expected \"character varying(100)\", got \"character "
        "varying(200)\"\n\n"
        "1 tenant, 1 issue: t0005\n"
        "  users: Index \"users_lower\" is missing\n\n"
        "5 tenants: 2 like the reference / 2 / 1, 0 errors\n");
    json_t *report = json_of(fleet, WORDS("pgconvoy", "diff", "--json"), 5);
    assert_summary(report, 5, 2, 3, 0);
    for (size_t i = 0; i < 5; i++) {
        bool differs = i == 1 || i >= 3;
        assert_int_equal(json_is_true(json_object_get(tenant_of(report, i), "hasDrift")), differs);
        assert_int_equal(json_array_size(json_object_get(tenant_of(report, i), "tables")), differs);
    }
    json_t *table = json_array_get(json_object_get(tenant_of(report, 4), "tables"), 0);
    assert_string_equal(json_string_value(json_object_get(table, "name")), "users");
    json_t *index = json_array_get(json_object_get(table, "indexes"), 0);
    assert_string_equal(json_string_value(json_object_get(index, "expected")),
                        "CREATE INDEX users_lower ON tenant_t0001.users USING btree (lower((email)::text))");
    json_decref(report);
    json_decref(
        json_of(fleet, WORDS("pgconvoy", "diff", "--no-indexes", "--tenants", "t0001,t0005", "--json"), 0));
    json_decref(json_of(fleet, WORDS("pgconvoy", "diff", "--exclude-tables", "x,users", "--json"), 0));
    fleet_free(fleet);
}

static void reference_is_compared_with_whoever_is_named(void **state)
{
    (void)state;
    Fleet *fleet = migrated_fleet(4);
    sql_run(fleet->connection, "ALTER TABLE tenant_t0003.users ADD x int");
    json_t *report =
        json_of(fleet, WORDS("pgconvoy", "diff", "--reference", "t0003", "--tenant", "t0002", "--json"), 5);
    assert_summary(report, 2, 1, 1, 0);
    assert_string_equal(id_of(report, 0), "t0003");
    assert_string_equal(id_of(report, 1), "t0002");
    json_decref(report);
    report = json_of(
        fleet, WORDS("pgconvoy", "diff", "--reference", "t0002", "--tenants", "t0001,t0002,t0001", "--json"),
        0);
    assert_summary(report, 3, 3, 0, 0);
    assert_string_equal(id_of(report, 0), "t0002");
    json_decref(report);
    report = json_of(fleet, WORDS("pgconvoy", "diff", "--tenant", "t0002", "--json"), 2);
    assert_string_equal(json_string_value(json_object_get(report, "error")),
                        "one tenant alone differs from nobody");
    json_decref(report);
    fleet_free(fleet);
}

static void schemas_that_cannot_be_read_are_errors(void **state)
{
    (void)state;
    Fleet *fleet = migrated_fleet(3);
    json_t *report = json_of(fleet, WORDS("pgconvoy", "diff", "--tenants", "t0001,gone,t0002", "--json"), 1);
    assert_summary(report, 3, 2, 0, 1);
    json_t *gone = tenant_of(report, 1);
    assert_string_equal(json_string_value(json_object_get(gone, "error")),
                        "schema \"tenant_gone\" does not exist");
    assert_string_equal(json_string_value(json_object_get(gone, "outcome")), "no_schema");
    json_decref(report);
    report = json_of(fleet, WORDS("pgconvoy", "diff", "--reference", "gone", "--json"), 1);
    assert_summary(report, 4, 0, 0, 4);
    assert_string_equal(json_string_value(json_object_get(tenant_of(report, 2), "error")),
                        "Failed to introspect reference tenant");
    json_decref(report);
    report = json_of(fleet, WORDS("pgconvoy", "introspect", "--tenant", "gone", "--json"), 1);
    assert_string_equal(json_string_value(json_object_get(report, "error")),
                        "schema \"tenant_gone\" does not exist");
    json_decref(report);
    fleet_free(fleet);
}

static void introspect_shows_one_tenant(void **state)
{
    (void)state;
    Fleet *fleet = migrated_fleet(1);
    assert_text(fleet, WORDS("pgconvoy", "introspect", "--tenant", "t0001"), 0,
                "tenant t0001, schema tenant_t0001\n"
                "table users\n"
                "  id integer NOT NULL DEFAULT nextval('users_id_seq'::regclass)\n"
                "  email character varying(100) NOT NULL\n"
                "  constraint users_email_key UNIQUE (email)\n"
                "  constraint users_pkey PRIMARY KEY (id)\n"
                "  index CREATE UNIQUE INDEX users_email_key ON tenant_t0001.users USING btree (email)\n"
                "  index CREATE INDEX users_lower ON tenant_t0001.users USING btree (lower((email)::text))\n"
                "  index CREATE UNIQUE INDEX users_pkey ON tenant_t0001.users USING btree (id)\n"
                "sequence users_id_seq\n");
    json_t *schema = json_of(fleet, WORDS("pgconvoy", "introspect", "--tenant", "t0001", "--json"), 0);
    assert_string_equal(json_string_value(json_object_get(schema, "tenantId")), "t0001");
    assert_int_equal(json_array_size(json_object_get(schema, "tables")), 1);
    json_decref(schema);
    fleet_free(fleet);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_of_one_migrate_do_not_differ),
        cmocka_unit_test(tenants_that_differ_in_one_way_are_one_paragraph),
        cmocka_unit_test(reference_is_compared_with_whoever_is_named),
        cmocka_unit_test(schemas_that_cannot_be_read_are_errors),
        cmocka_unit_test(introspect_shows_one_tenant),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
