/* The comparison on schemas made by hand: sentences, shapes and order are the contract's. */
#include "common/schema_drift.h"
#include "common/schema_drift_json.h"
#include "tests/support/test.h"

static char *text(const char *value)
{
    return value != NULL ? strdup(value) : NULL;
}

static TableSchema *table(TenantSchema *schema, const char *name)
{
    TableSchema *added = record_list_add(&TABLE_SCHEMA, &schema->tables);
    added->name = text(name);
    return added;
}

static ColumnSchema *column(TableSchema *to, const char *name, const char *data_type, const char *udt_name)
{
    ColumnSchema *added = record_list_add(&COLUMN_SCHEMA, &to->columns);
    *added = (ColumnSchema){.name = text(name),
                            .data_type = text(data_type),
                            .udt_name = text(udt_name),
                            .type = text(data_type),
                            .is_nullable = true};
    return added;
}

static void add_index(TableSchema *to, const char *name, const char *definition, const char *canonical)
{
    IndexSchema *added = record_list_add(&INDEX_SCHEMA, &to->indexes);
    *added = (IndexSchema){.name = text(name), .definition = text(definition), .canonical = text(canonical)};
}

static void add_constraint(TableSchema *to, const char *name, const char *type, const char *on,
                           const char *definition)
{
    ConstraintSchema *added = record_list_add(&CONSTRAINT_SCHEMA, &to->constraints);
    *added = (ConstraintSchema){.name = text(name),
                                .type = text(type),
                                .definition = text(definition),
                                .canonical = text(definition)};
    assert_true(text_list_add(&added->columns, on));
}

static void add_object(RecordList *list, const char *name, const char *of, const char *definition)
{
    ObjectSchema *added = record_list_add(&OBJECT_SCHEMA, list);
    *added = (ObjectSchema){
        .name = text(name), .table = text(of), .definition = text(definition), .canonical = text(definition)};
}

static TenantSchema schema(const char *id, const char *name)
{
    return (TenantSchema){.tenant_id = text(id), .schema_name = text(name)};
}

/* Compares and consumes both; the JSON of the result is what is expected. */
static void assert_drift(TenantSchema *reference, TenantSchema *target, const char *expected)
{
    Error error ERROR_CLEANUP = {0};
    TenantSchemaDrift drift;
    assert_true(schema_compare(reference, target, &drift, &error));
    json_t *json = schema_drift_to_json(&TENANT_SCHEMA_DRIFT, &drift);
    char *printed = json_dumps(json, JSON_COMPACT);
    assert_string_equal(printed, expected);
    free(printed);
    json_decref(json);
    record_clear(&TENANT_SCHEMA_DRIFT, &drift);
    record_clear(&TENANT_SCHEMA, reference);
    record_clear(&TENANT_SCHEMA, target);
}

static void equal_schemas_have_no_drift(void **state)
{
    (void)state;
    TenantSchema a = schema("a", "tenant_a"), b = schema("b", "tenant_b");
    TenantSchema *both[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        TableSchema *t = table(both[i], "t");
        column(t, "id", "integer", "int4");
        add_index(t, "i", i == 0 ? "ON tenant_a.t" : "ON tenant_b.t", "ON t");
        add_constraint(t, "c", "CHECK", "id", "CHECK (id > 0)");
        add_object(&both[i]->views, "v", NULL, "SELECT 1");
    }
    assert_drift(&a, &b,
                 "{\"tenantId\":\"b\",\"schemaName\":\"tenant_b\",\"hasDrift\":false,\"tables\":[],"
                 "\"issueCount\":0}");
}

static void tables_are_missing_or_extra_by_their_columns(void **state)
{
    (void)state;
    TenantSchema a = schema("a", "tenant_a"), b = schema("b", "tenant_b");
    column(table(&a, "both_t"), "id", "integer", "int4");
    TableSchema *only = table(&a, "only_a");
    column(only, "id", "integer", "int4");
    column(only, "name", "text", "text");
    add_object(&a.triggers, "goes with its table", "only_a", "x");
    column(table(&b, "both_t"), "id", "integer", "int4");
    column(table(&b, "only_b"), "x", "date", "date");
    assert_drift(
        &a, &b,
        "{\"tenantId\":\"b\",\"schemaName\":\"tenant_b\",\"hasDrift\":true,\"tables\":[{\"table\":\"only_a\","
        "\"status\":\"missing\",\"columns\":[{\"column\":\"id\",\"type\":\"missing\",\"expected\":"
        "\"integer\","
        "\"description\":\"Column \\\"id\\\" (integer) is "
        "missing\"},{\"column\":\"name\",\"type\":\"missing\","
        "\"expected\":\"text\",\"description\":\"Column \\\"name\\\" (text) is missing\"}],\"indexes\":[],"
        "\"constraints\":[]},{\"table\":\"only_b\",\"status\":\"extra\",\"columns\":[{\"column\":\"x\","
        "\"type\":"
        "\"extra\",\"actual\":\"date\",\"description\":\"Extra column \\\"x\\\" (date) not in reference\"}],"
        "\"indexes\":[],\"constraints\":[]}],\"issueCount\":3}");
}

static void columns_differ_in_the_contract_s_words(void **state)
{
    (void)state;
    TenantSchema a = schema("a", "tenant_a"), b = schema("b", "tenant_b");
    TableSchema *t = table(&a, "t"), *u = table(&b, "t");
    column(t, "a", "integer", "int4");
    column(t, "d", "text", "text")->column_default = text("'x'::text");
    column(t, "v", "character varying", "varchar");
    column(u, "a", "bigint", "int8");
    ColumnSchema *d = column(u, "d", "text", "text");
    d->is_nullable = false;
    ColumnSchema *v = column(u, "v", "character varying", "varchar");
    free(v->type);
    v->type = text("character varying(9)");
    assert_drift(
        &a, &b,
        "{\"tenantId\":\"b\",\"schemaName\":\"tenant_b\",\"hasDrift\":true,\"tables\":[{\"table\":\"t\","
        "\"status\":\"drifted\",\"columns\":["
        "{\"column\":\"a\",\"type\":\"type_mismatch\",\"expected\":\"int4\",\"actual\":\"int8\","
        "\"description\":"
        "\"Column \\\"a\\\" type mismatch: expected \\\"int4\\\", got \\\"int8\\\"\"},"
        "{\"column\":\"d\",\"type\":\"nullable_mismatch\",\"expected\":true,\"actual\":false,\"description\":"
        "\"Column \\\"d\\\" nullable mismatch: expected NULL, got NOT NULL\"},"
        "{\"column\":\"d\",\"type\":\"default_mismatch\",\"expected\":\"'x'::text\",\"actual\":null,"
        "\"description\":\"Column \\\"d\\\" default mismatch: expected \\\"'x'::text\\\", got "
        "\\\"none\\\"\"},"
        "{\"column\":\"v\",\"type\":\"type_mismatch\",\"expected\":\"character varying\",\"actual\":"
        "\"character varying(9)\",\"description\":\"Column \\\"v\\\" type mismatch: expected \\\"character "
        "varying\\\", got \\\"character varying(9)\\\"\"}],"
        "\"indexes\":[],\"constraints\":[]}],\"issueCount\":4}");
}

static void order_is_one_issue_among_the_columns_that_both_have(void **state)
{
    (void)state;
    TenantSchema a = schema("a", "s"), b = schema("b", "s");
    TableSchema *t = table(&a, "t"), *u = table(&b, "t");
    static const char *const OURS[] = {"a", "gone", "b", "c"}, *const THEIRS[] = {"a", "c", "b"};
    for (size_t i = 0; i < 4; i++)
        column(t, OURS[i], "integer", "int4");
    for (size_t i = 0; i < 3; i++)
        column(u, THEIRS[i], "integer", "int4");
    assert_drift(
        &a, &b,
        "{\"tenantId\":\"b\",\"schemaName\":\"s\",\"hasDrift\":true,\"tables\":[{\"table\":\"t\",\"status\":"
        "\"drifted\",\"columns\":[{\"column\":\"gone\",\"type\":\"missing\",\"expected\":\"integer\","
        "\"description\":\"Column \\\"gone\\\" (integer) is missing\"},{\"column\":\"b\",\"type\":"
        "\"order_mismatch\",\"expected\":\"a, b, c\",\"actual\":\"a, c, b\",\"description\":\"Column "
        "\\\"b\\\""
        " order mismatch: expected \\\"a, b, c\\\", got \\\"a, c, b\\\"\"}],\"indexes\":[],"
        "\"constraints\":[]}],\"issueCount\":2}");
}

static void indexes_and_constraints_are_told_apart(void **state)
{
    (void)state;
    TenantSchema a = schema("a", "tenant_a"), b = schema("b", "tenant_b");
    TableSchema *t = table(&a, "t"), *u = table(&b, "t");
    add_index(t, "i_cols", "ON tenant_a.t (a)", "(a)");
    add_index(t, "i_missing", "ON tenant_a.t (a)", "(a)");
    add_constraint(t, "f", "FOREIGN KEY", "a", "FOREIGN KEY (a) REFERENCES p(id)");
    add_constraint(t, "u", "UNIQUE", "a", "UNIQUE (a)");
    add_index(u, "i_cols", "ON tenant_b.t (a, b)", "(a, b)");
    add_index(u, "i_extra", "ON tenant_b.t (a)", "(a)");
    add_constraint(u, "f", "FOREIGN KEY", "a", "FOREIGN KEY (a) REFERENCES q(id)");
    add_constraint(u, "w", "UNIQUE", "a", "UNIQUE (a)");
    assert_drift(
        &a, &b,
        "{\"tenantId\":\"b\",\"schemaName\":\"tenant_b\",\"hasDrift\":true,\"tables\":[{\"table\":\"t\","
        "\"status\":"
        "\"drifted\",\"columns\":[],\"indexes\":["
        "{\"index\":\"i_cols\",\"type\":\"definition_mismatch\",\"expected\":\"ON tenant_a.t "
        "(a)\",\"actual\":\"ON "
        "tenant_b.t (a, b)\",\"description\":\"Index \\\"i_cols\\\" definition differs\"},"
        "{\"index\":\"i_missing\",\"type\":\"missing\",\"expected\":\"ON tenant_a.t "
        "(a)\",\"description\":\"Index "
        "\\\"i_missing\\\" is missing\"},"
        "{\"index\":\"i_extra\",\"type\":\"extra\",\"actual\":\"ON tenant_b.t (a)\",\"description\":\"Extra "
        "index "
        "\\\"i_extra\\\" not in reference\"}],\"constraints\":["
        "{\"constraint\":\"f\",\"type\":\"definition_mismatch\",\"expected\":\"FOREIGN KEY (a) REFERENCES "
        "p(id)\","
        "\"actual\":\"FOREIGN KEY (a) REFERENCES q(id)\",\"description\":\"Constraint \\\"f\\\" definition "
        "differs\"},"
        "{\"constraint\":\"u\",\"type\":\"missing\",\"expected\":\"UNIQUE on "
        "(a)\",\"description\":\"Constraint "
        "\\\"u\\\" (UNIQUE) is missing\"},"
        "{\"constraint\":\"w\",\"type\":\"extra\",\"actual\":\"UNIQUE on (a)\",\"description\":\"Extra "
        "constraint "
        "\\\"w\\\" (UNIQUE) not in reference\"}]}],\"issueCount\":6}");
}

static void other_objects_come_after_the_contract_s(void **state)
{
    (void)state;
    TenantSchema a = schema("a", "s"), b = schema("b", "s");
    TableSchema *t = table(&a, "t");
    table(&b, "t");
    t->definition = text("UNLOGGED");
    add_object(&a.policies, "p", "t", "FOR ALL");
    add_object(&b.enums, "mood", NULL, "ENUM ('x')");
    assert_drift(
        &a, &b,
        "{\"tenantId\":\"b\",\"schemaName\":\"s\",\"hasDrift\":true,\"tables\":[{\"table\":\"t\",\"status\":"
        "\"drifted\",\"columns\":[],\"indexes\":[],\"constraints\":[],\"objects\":[{\"object\":\"t\","
        "\"kind\":"
        "\"table\",\"type\":\"definition_mismatch\",\"expected\":\"UNLOGGED\",\"actual\":\"\","
        "\"description\":\"Table \\\"t\\\" definition differs\"},{\"object\":\"p\",\"kind\":\"policy\","
        "\"table\":\"t\",\"type\":\"missing\",\"expected\":\"FOR ALL\",\"description\":\"Policy \\\"p\\\" on "
        "table \\\"t\\\" is missing\"}]}],\"issueCount\":3,\"objects\":[{\"object\":\"mood\",\"kind\":"
        "\"enum\",\"type\":\"extra\",\"actual\":\"ENUM ('x')\",\"description\":\"Extra enum \\\"mood\\\" not "
        "in reference\"}]}");
}

static void views_describe_the_same_members(void **state)
{
    (void)state;
    const RecordType *views[] = {&TENANT_SCHEMA_DRIFT, &TENANT_SCHEMA_DRIFT_CLI};
    size_t sums[2] = {0};
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < views[side]->field_count; i++)
            sums[side] += views[side]->fields[i].offset * (1 + views[side]->fields[i].kind);
    assert_int_equal(views[0]->field_count, views[1]->field_count);
    assert_int_equal(sums[0], sums[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_schemas_have_no_drift),
        cmocka_unit_test(tables_are_missing_or_extra_by_their_columns),
        cmocka_unit_test(columns_differ_in_the_contract_s_words),
        cmocka_unit_test(order_is_one_issue_among_the_columns_that_both_have),
        cmocka_unit_test(indexes_and_constraints_are_told_apart),
        cmocka_unit_test(other_objects_come_after_the_contract_s),
        cmocka_unit_test(views_describe_the_same_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
