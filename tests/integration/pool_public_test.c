/* pgconvoy/pool_manager.h, call by call, by one thread. */
#include "tests/integration/pool_public_fixture.h"
#include <ctype.h>

static void a_tenant_s_pool_is_made_once_and_opens_nothing(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    assert_false(pgconvoy_pool_manager_has_pool(manager, NULL, "a"));
    pgconvoy_db *db = must_get(manager, "a"), *again = must_get(manager, "a");
    assert_ptr_equal(db, again);
    assert_string_equal(pgconvoy_db_tenant_id(db), "a");
    assert_string_equal(pgconvoy_db_schema(db), "tenant_a");
    assert_true(nobody_is_connected(NULL));
    pgconvoy_db *validated = pgconvoy_pool_manager_get_db_validated(manager, "main", "b", &error);
    assert_non_null(validated);
    assert_false(nobody_is_connected(NULL));
    assert_true(pgconvoy_pool_manager_has_pool(manager, NULL, "b"));
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 2);
    pgconvoy_texts ids = {0};
    assert_true(pgconvoy_pool_manager_get_active_tenant_ids(manager, &ids, &error));
    assert_int_equal(ids.count, 2);
    assert_string_equal(ids.items[0], "a");
    assert_string_equal(ids.items[1], "b");
    pgconvoy_texts_clear(&ids);
    assert_query(db, "SELECT name FROM own", "a");
    assert_query(validated, "SELECT name FROM own", "b");
    assert_heard("+a +b ");
    pgconvoy_db_unref(db);
    pgconvoy_db_unref(again);
    pgconvoy_db_unref(validated);
    pgconvoy_pool_manager_free(manager);
    assert_heard("-a -b ");
    assert_nobody_is_connected();
}

static void the_shared_pool_counts_as_no_tenant_s(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    pgconvoy_db *shared = pgconvoy_pool_manager_get_shared_db(manager, NULL, &error);
    pgconvoy_db *again = pgconvoy_pool_manager_get_shared_db_validated(manager, NULL, &error);
    assert_non_null(shared);
    assert_ptr_equal(shared, again);
    assert_null(pgconvoy_db_tenant_id(shared));
    assert_string_equal(pgconvoy_db_schema(shared), "public");
    assert_true(nobody_is_connected(NULL)); /* the pool was there, so that nothing was asked */
    assert_query(shared, "SELECT current_schema()", "public");
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    pgconvoy_db_unref(shared);
    pgconvoy_db_unref(again);
    pgconvoy_pool_manager_free(manager);
    assert_heard("");
}

static void what_is_left_out_has_the_contract_s_value(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    for (int i = 0; i < 51; i++) {
        char id[8];
        snprintf(id, sizeof id, "t%d", i);
        access_tenant(manager, id);
    }
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 50);
    assert_false(pgconvoy_pool_manager_has_pool(manager, NULL, "t0"));
    assert_true(pgconvoy_pool_manager_has_pool(manager, NULL, "t1"));
    pgconvoy_db *db = must_get(manager, "a");
    pgconvoy_connection *connections[10];
    for (int i = 0; i < 10; i++)
        connections[i] = must_acquire(db);
    assert_null(pgconvoy_db_acquire(db, 20, &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_CONNECT);
    assert_string_equal(error.detail, "all 10 are lent");
    assert_string_equal(error.tenant, "a");
    for (int i = 0; i < 10; i++)
        pgconvoy_db_release(db, connections[i]);
    pgconvoy_error_clear(&error);
    pgconvoy_db_unref(db);
    pgconvoy_pool_manager_free(manager);
}

static void options_and_arguments_without_sense_are_refused_by_name(void **state)
{
    (void)state;
    const pgconvoy_pool_database good = {.url = url}, nowhere = {.name = "x"};
    const pgconvoy_pool_database twice[] = {{.name = "x", .url = url}, {.name = "x", .url = url}};
    const struct {
        pgconvoy_pool_options options;
        const char *message;
    } refused[] = {
        {{.databases = &good}, "the pool manager has no database"},
        {{.databases = &nowhere, .database_count = 1}, "database \"x\" of the pool manager has no url"},
        {{.databases = twice, .database_count = 2}, "database \"x\" of the pool manager is named twice"},
        {{.databases = &good, .database_count = 1, .max_pools = -1},
         "max_pools of the pool manager is -1, below 1"},
        {{.databases = &good, .database_count = 1, .retry_multiplier = 0.5},
         "retry.multiplier of the pool manager is below 1"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        pgconvoy_error error = {0};
        assert_null(pgconvoy_pool_manager_new(&refused[i].options, &error));
        assert_int_equal(error.code, PGCONVOY_ERROR_CONFIG);
        assert_string_equal(error.message, refused[i].message);
        pgconvoy_error_clear(&error);
    }
    pgconvoy_error error = {0};
    pgconvoy_pool_options bad_template = {
        .databases = &good, .database_count = 1, .schema_template = "pg_{id}"};
    assert_null(pgconvoy_pool_manager_new(&bad_template, &error));
    assert_null(pgconvoy_pool_manager_new(NULL, &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_USAGE);

    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    assert_null(pgconvoy_pool_manager_get_db(manager, NULL, NULL, &error));
    assert_string_equal(error.message, "tenant_id is NULL");
    assert_null(pgconvoy_pool_manager_get_db(NULL, NULL, "a", &error));
    assert_string_equal(error.message, "manager is NULL");
    assert_null(pgconvoy_pool_manager_get_db(manager, NULL, "", &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_TENANTS);
    assert_null(pgconvoy_pool_manager_get_db(manager, "elsewhere", "a", &error));
    assert_string_equal(error.message, "database \"elsewhere\" is not configured");
    assert_null(pgconvoy_db_acquire(NULL, 0, &error));
    assert_false(pgconvoy_pool_manager_warmup(manager, NULL, NULL, 1, NULL, NULL, &error));
    assert_false(pgconvoy_pool_manager_has_pool(NULL, NULL, "a"));
    assert_int_equal(pgconvoy_pool_manager_get_pool_count(manager), 0);
    pgconvoy_db_release(NULL, NULL);
    pgconvoy_db_unref(NULL);
    pgconvoy_error_clear(&error);
    pgconvoy_pool_manager_free(manager);
    pgconvoy_pool_manager_free(NULL);
}

/* The tenants of metrics, the order of use, as one word. */
static void assert_most_recent_first(pgconvoy_pool_manager *manager, const char *expected)
{
    pgconvoy_error error = {0};
    pgconvoy_metrics_result metrics = {0};
    char order[64] = "";
    assert_true(pgconvoy_pool_manager_get_metrics(manager, &metrics, &error));
    const pgconvoy_tenant_pool_metrics *tenants = metrics.tenants.items;
    for (size_t i = 0; i < metrics.tenants.count; i++)
        strcat(order, tenants[i].tenant_id);
    assert_string_equal(order, expected);
    pgconvoy_metrics_result_clear(&metrics);
}

static void the_least_recently_used_is_evicted_and_looking_is_no_use(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){.max_pools = 2});
    access_tenant(manager, "a");
    access_tenant(manager, "b");
    assert_true(pgconvoy_pool_manager_has_pool(manager, NULL, "a"));
    pgconvoy_health_check_result health = {0};
    const char *const only_a[] = {"a"};
    pgconvoy_health_options named = {.tenant_ids = only_a, .tenant_count = 1};
    assert_true(pgconvoy_pool_manager_health_check(manager, &named, &health, &error));
    assert_int_equal(health.pools.count, 1);
    assert_int_equal(health.total_pools, 2); /* of the manager, whatever was checked */
    pgconvoy_health_check_result_clear(&health);
    assert_most_recent_first(manager, "ba");
    access_tenant(manager, "c");
    assert_most_recent_first(manager, "cb");
    access_tenant(manager, "b");
    access_tenant(manager, "d");
    assert_most_recent_first(manager, "db");
    assert_true(pgconvoy_pool_manager_evict_pool(manager, NULL, "b", &error));
    assert_true(pgconvoy_pool_manager_evict_pool(manager, NULL, "b", &error));
    assert_true(pgconvoy_pool_manager_evict_pool(manager, NULL, "ghost", &error));
    assert_most_recent_first(manager, "d");
    assert_heard("+a +b +c -a +d -c -b ");
    pgconvoy_pool_manager_free(manager);
}

/* In place: what differs from run to run becomes "<ts>" and 0. */
static char *normal(char *json)
{
    static const char *const TIMES[] = {"\"timestamp\":\"", "\"lastAccessedAt\":\""};
    static const char *const NUMBERS[] = {"urationMs\":", "esponseTimeMs\":"};
    for (size_t i = 0; i < 2; i++)
        for (char *at = json; (at = strstr(at, TIMES[i])) != NULL;) {
            at += strlen(TIMES[i]);
            assert_int_equal(at[23], 'Z');
            memcpy(at, "<ts>", 4);
            memmove(at + 4, at + 24, strlen(at + 24) + 1);
        }
    for (size_t i = 0; i < 2; i++)
        for (char *at = json; (at = strstr(at, NUMBERS[i])) != NULL;) {
            at += strlen(NUMBERS[i]);
            size_t digits = strspn(at, "0123456789");
            assert_true(digits > 0);
            *at = '0';
            memmove(at + 1, at + digits, strlen(at + digits) + 1);
        }
    return json;
}

static void assert_json(char *json, const char *expected)
{
    assert_non_null(json);
    assert_string_equal(normal(json), expected);
    free(json);
}

static void reports_are_the_contract_s_json(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    pgconvoy_metrics_result metrics = {0};
    assert_true(pgconvoy_pool_manager_get_metrics(manager, &metrics, &error));
    assert_json(pgconvoy_metrics_result_json(&metrics),
                "{\"pools\":{\"total\":0,\"maxPools\":50,\"tenants\":[]},"
                "\"shared\":{\"initialized\":false,\"connections\":null},\"timestamp\":\"<ts>\"}");
    pgconvoy_metrics_result_clear(&metrics);
    pgconvoy_db_unref(pgconvoy_pool_manager_get_db_validated(manager, NULL, "a", &error));
    access_tenant(manager, "ghost");
    pgconvoy_db_unref(pgconvoy_pool_manager_get_shared_db(manager, NULL, &error));
    assert_true(pgconvoy_pool_manager_get_metrics(manager, &metrics, &error));
    assert_json(pgconvoy_metrics_result_json(&metrics),
                "{\"pools\":{\"total\":2,\"maxPools\":50,\"tenants\":["
                "{\"tenantId\":\"ghost\",\"schemaName\":\"tenant_ghost\","
                "\"connections\":{\"total\":0,\"idle\":0,\"waiting\":0},\"lastAccessedAt\":\"<ts>\"},"
                "{\"tenantId\":\"a\",\"schemaName\":\"tenant_a\","
                "\"connections\":{\"total\":1,\"idle\":1,\"waiting\":0},\"lastAccessedAt\":\"<ts>\"}]},"
                "\"shared\":{\"initialized\":true,\"connections\":{\"total\":0,\"idle\":0,\"waiting\":0}},"
                "\"timestamp\":\"<ts>\"}");
    pgconvoy_metrics_result_clear(&metrics);
    pgconvoy_health_check_result health = {0};
    assert_true(pgconvoy_pool_manager_health_check(manager, NULL, &health, &error));
    assert_json(pgconvoy_health_check_result_json(&health),
                "{\"healthy\":false,\"pools\":["
                "{\"tenantId\":\"ghost\",\"schemaName\":\"tenant_ghost\",\"status\":\"unhealthy\","
                "\"totalConnections\":0,\"idleConnections\":0,\"waitingRequests\":0,\"responseTimeMs\":0,"
                "\"error\":\"schema \\\"tenant_ghost\\\" does not exist\"},"
                "{\"tenantId\":\"a\",\"schemaName\":\"tenant_a\",\"status\":\"ok\","
                "\"totalConnections\":1,\"idleConnections\":1,\"waitingRequests\":0,\"responseTimeMs\":0}],"
                "\"sharedDb\":\"ok\",\"totalPools\":2,\"degradedPools\":0,\"unhealthyPools\":1,"
                "\"timestamp\":\"<ts>\",\"durationMs\":0,\"sharedDbResponseTimeMs\":0}");
    pgconvoy_health_check_result_clear(&health);
    pgconvoy_health_options quiet = {.no_ping = true, .no_shared = true};
    assert_true(pgconvoy_pool_manager_evict_pool(manager, NULL, "ghost", &error));
    assert_true(pgconvoy_pool_manager_health_check(manager, &quiet, &health, &error));
    assert_json(pgconvoy_health_check_result_json(&health),
                "{\"healthy\":true,\"pools\":[{\"tenantId\":\"a\",\"schemaName\":\"tenant_a\","
                "\"status\":\"ok\",\"totalConnections\":1,\"idleConnections\":1,\"waitingRequests\":0}],"
                "\"totalPools\":1,\"degradedPools\":0,\"unhealthyPools\":0,\"timestamp\":\"<ts>\","
                "\"durationMs\":0}");
    pgconvoy_health_check_result_clear(&health);
    pgconvoy_pool_manager_free(manager);
}

static void hear_progress(void *context, const char *tenant_id, const char *status)
{
    assert_ptr_equal(context, heard);
    hear("%s", tenant_id);
    hear(":%s ", status);
}

static void warmup_says_who_was_warm_already(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    const char *const ids[] = {"a", "b", "ghost", "b"};
    pgconvoy_warmup_options options = {.concurrency = 1, .context = heard, .on_progress = hear_progress};
    pgconvoy_warmup_result result = {0};
    access_tenant(manager, "a");
    assert_true(pgconvoy_pool_manager_warmup(manager, NULL, ids, 4, &options, &result, &error));
    assert_heard("+a a:starting a:completed b:starting +b b:completed ghost:starting ghost:failed "
                 "b:starting b:completed ");
    assert_json(pgconvoy_warmup_result_json(&result),
                "{\"total\":4,\"succeeded\":3,\"failed\":1,\"alreadyWarm\":1,\"durationMs\":0,\"details\":["
                "{\"tenantId\":\"a\",\"success\":true,\"alreadyWarm\":true,\"durationMs\":0},"
                "{\"tenantId\":\"b\",\"success\":true,\"alreadyWarm\":false,\"durationMs\":0},"
                "{\"tenantId\":\"ghost\",\"success\":false,\"alreadyWarm\":false,\"durationMs\":0,"
                "\"error\":\"schema \\\"tenant_ghost\\\" does not exist\"},"
                "{\"tenantId\":\"b\",\"success\":true,\"alreadyWarm\":false,\"durationMs\":0}]}");
    pgconvoy_warmup_result_clear(&result);
    pgconvoy_warmup_options no_ping = {.no_ping = true};
    options.concurrency = 2;
    const char *const batches[] = {"c", "d", "e"};
    assert_true(pgconvoy_pool_manager_warmup(manager, NULL, batches, 3, &options, &result, &error));
    pgconvoy_warmup_result_clear(&result);
    char words[sizeof heard];
    memcpy(words, heard, sizeof words);
    heard[0] = '\0';
    static const char BOTH_FIRST[] = "c:starting d:starting ", LAST[] = "e:starting +e e:completed ";
    assert_memory_equal(words, BOTH_FIRST, strlen(BOTH_FIRST));
    assert_string_equal(words + strlen(words) - strlen(LAST), LAST);
    const char *const more[] = {"e1", "e2", "e3"};
    assert_true(pgconvoy_pool_manager_warmup(manager, NULL, more, 3, &no_ping, &result, &error));
    assert_heard("+e1 +e2 +e3 "); /* in the order asked for */
    pgconvoy_warmup_result_clear(&result);
    assert_true(pgconvoy_pool_manager_warmup(manager, NULL, NULL, 0, NULL, &result, &error));
    assert_true(result.total == 0 && result.details.count == 0);
    options.concurrency = -1;
    assert_false(pgconvoy_pool_manager_warmup(manager, NULL, ids, 4, &options, &result, &error));
    pgconvoy_error_clear(&error);
    pgconvoy_pool_manager_free(manager);
}

/* Who is warm is ready at once, and yet told in its turn. */
static void warmup_tells_ends_in_the_order_asked_for(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    const char *const ids[] = {"b", "a", "ghost", "a"};
    pgconvoy_warmup_options options = {.concurrency = 4, .context = heard, .on_progress = hear_progress};
    pgconvoy_warmup_result result = {0};
    access_tenant(manager, "a");
    assert_heard("+a ");
    assert_true(pgconvoy_pool_manager_warmup(manager, NULL, ids, 4, &options, &result, &error));
    assert_heard("b:starting a:starting ghost:starting a:starting +b b:completed a:completed ghost:failed "
                 "a:completed ");
    pgconvoy_warmup_result_clear(&result);
    pgconvoy_pool_manager_free(manager);
}

static bool clean_until_empty(void *manager)
{
    pgconvoy_pool_manager_cleanup(manager);
    return pgconvoy_pool_manager_get_pool_count(manager) == 0;
}

static bool is_empty(void *manager)
{
    return pgconvoy_pool_manager_get_pool_count(manager) == 0;
}

static void pools_expire_by_hand_by_the_thread_or_never(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager =
        make_manager((pgconvoy_pool_options){.ttl_ms = 1, .cleanup_interval_ms = 1});
    access_tenant(manager, "a");
    await(clean_until_empty, manager, PATIENCE_MS, "the pool's end");
    assert_true(pgconvoy_pool_manager_start_cleanup(manager, &error));
    assert_true(pgconvoy_pool_manager_start_cleanup(manager, &error));
    assert_true(pgconvoy_pool_manager_cleanup_runs(manager));
    access_tenant(manager, "b");
    await(is_empty, manager, PATIENCE_MS, "the pool's end");
    pgconvoy_pool_manager_stop_cleanup(manager);
    pgconvoy_pool_manager_stop_cleanup(manager);
    assert_false(pgconvoy_pool_manager_cleanup_runs(manager));
    pgconvoy_pool_manager_free(manager);
    assert_heard("+a -a +b -b ");

    manager = make_manager((pgconvoy_pool_options){.ttl_ms = -1});
    access_tenant(manager, "a");
    sleep_ms(5);
    pgconvoy_pool_manager_cleanup(manager);
    assert_true(pgconvoy_pool_manager_has_pool(manager, NULL, "a"));
    pgconvoy_pool_manager_free(manager);
}

static char *first_letter(void *context, const char *tenant_id, pgconvoy_error *error)
{
    assert_ptr_equal(context, heard);
    if (!islower((unsigned char)tenant_id[0])) {
        pgconvoy_error_set(error, "%s is nobody", tenant_id);
        return NULL;
    }
    char *schema = strdup("tenant_?");
    schema[7] = tenant_id[0];
    return schema;
}

static void the_caller_may_name_the_schemas(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager =
        make_manager((pgconvoy_pool_options){.schema_name = first_letter, .schema_context = heard});
    char *schema = pgconvoy_pool_manager_get_schema_name(manager, "bertha", &error);
    assert_string_equal(schema, "tenant_b");
    free(schema);
    pgconvoy_db *db = must_get(manager, "bertha");
    assert_query(db, "SELECT name FROM own", "b");
    pgconvoy_db_unref(db);
    assert_null(pgconvoy_pool_manager_get_db(manager, NULL, "X", &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_CALLBACK);
    assert_string_equal(error.message, "X is nobody");
    pgconvoy_error_clear(&error);
    pgconvoy_pool_manager_free(manager);
}

static void ids_of_several_databases_are_told_apart(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    const pgconvoy_pool_database two[] = {{.name = "north", .url = url}, {.name = "south", .url = url}};
    pgconvoy_pool_manager *manager =
        make_manager((pgconvoy_pool_options){.databases = two, .database_count = 2});
    access_tenant(manager, "a"); /* the first database's */
    pgconvoy_db *south = pgconvoy_pool_manager_get_db(manager, "south", "a", &error);
    assert_query(south, "SELECT name FROM own", "a");
    pgconvoy_texts ids = {0};
    assert_true(pgconvoy_pool_manager_get_active_tenant_ids(manager, &ids, &error));
    assert_int_equal(ids.count, 2);
    assert_string_equal(ids.items[0], "north/a");
    assert_string_equal(ids.items[1], "south/a");
    pgconvoy_texts_clear(&ids);
    const char *const names[] = {"a"};
    pgconvoy_health_options options = {.tenant_ids = names, .tenant_count = 1, .database = "south"};
    pgconvoy_health_check_result health = {0};
    assert_true(pgconvoy_pool_manager_health_check(manager, &options, &health, &error));
    assert_string_equal(((pgconvoy_pool_health *)health.pools.items)->database, "south");
    pgconvoy_health_check_result_clear(&health);
    pgconvoy_warmup_result warmup = {0};
    assert_true(pgconvoy_pool_manager_warmup(manager, NULL, names, 1, NULL, &warmup, &error));
    assert_string_equal(((pgconvoy_tenant_warmup_result *)warmup.details.items)->database, "north");
    pgconvoy_warmup_result_clear(&warmup);
    assert_true(pgconvoy_pool_manager_warmup(manager, "west", names, 1, NULL, &warmup, &error));
    assert_string_equal(((pgconvoy_tenant_warmup_result *)warmup.details.items)->database, "west");
    assert_string_equal(((pgconvoy_tenant_warmup_result *)warmup.details.items)->error,
                        "database \"west\" is not configured");
    pgconvoy_warmup_result_clear(&warmup);
    pgconvoy_db_unref(south);
    pgconvoy_pool_manager_free(manager);
}

static void a_session_ends_with_its_loan(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    pgconvoy_db *db = must_get(manager, "a");
    pgconvoy_connection *connection = must_acquire(db);
    assert_true(answers(connection, "SELECT set_config('search_path', 'tenant_b', false)", "tenant_b"));
    PQclear(PQexec(pgconvoy_connection_pg(connection), "BEGIN; INSERT INTO tenant_a.own VALUES ('lost')"));
    pgconvoy_db_release(db, connection);
    connection = must_acquire(db);
    assert_true(answers(connection, "SELECT string_agg(name, ',') FROM own", "a"));
    PQclear(PQexec(pgconvoy_connection_pg(connection), "SELEC"));
    static const char EXPECTED[] = "ERROR:  syntax error at or near \"SELEC\"\nLINE 1: ";
    assert_memory_equal(PQerrorMessage(pgconvoy_connection_pg(connection)), EXPECTED, strlen(EXPECTED));
    pgconvoy_db_release(db, connection);
    pgconvoy_db_unref(db);
    db = must_get(manager, "ghost");
    assert_null(pgconvoy_db_acquire(db, 0, &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_NO_SCHEMA);
    assert_string_equal(error.message, "schema \"tenant_ghost\" does not exist");
    assert_string_equal(error.sqlstate, "3F000");
    pgconvoy_error_clear(&error);
    pgconvoy_db_unref(db);
    pgconvoy_pool_manager_free(manager);
    assert_int_equal(failed, 0);
}

static void a_handle_outlives_its_pool_and_its_manager(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    pgconvoy_pool_manager *manager = make_manager((pgconvoy_pool_options){0});
    pgconvoy_db *old = must_get(manager, "a");
    pgconvoy_connection *lent = must_acquire(old);
    assert_true(pgconvoy_pool_manager_evict_pool(manager, NULL, "a", &error));
    assert_true(answers(lent, "SELECT name FROM own", "a"));
    assert_query(old, "SELECT name FROM own", "a");
    pgconvoy_db *fresh = must_get(manager, "a");
    assert_ptr_not_equal(old, fresh);
    pgconvoy_db_unref(fresh);
    pgconvoy_pool_manager_free(manager);
    assert_true(answers(lent, "SELECT name FROM own", "a"));
    assert_null(pgconvoy_db_acquire(old, 0, &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_CANCELLED);
    assert_string_equal(pgconvoy_db_schema(old), "tenant_a");
    pgconvoy_db_release(old, lent);
    pgconvoy_db_unref(old);
    pgconvoy_error_clear(&error);
    assert_nobody_is_connected();
}

static void a_pooler_that_gives_no_session_is_refused(void **state)
{
    (void)state;
    pgconvoy_error error = {0};
    cluster_start_bouncer(cluster, 4);
    char *pooled = cluster_bouncer_url(cluster, "postgres");
    const pgconvoy_pool_database database = {.url = pooled};
    pgconvoy_pool_manager *manager =
        make_manager((pgconvoy_pool_options){.databases = &database, .database_count = 1});
    pgconvoy_db *db = must_get(manager, "a");
    assert_null(pgconvoy_db_acquire(db, PATIENCE_MS, &error));
    assert_int_equal(error.code, PGCONVOY_ERROR_CONFIG);
    assert_string_equal(error.message, "database \"main\" is behind a pooler in transaction mode");
    assert_non_null(error.hint);
    pgconvoy_error_clear(&error);
    pgconvoy_db_unref(db);
    pgconvoy_pool_manager_free(manager);
    free(pooled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_tenant_s_pool_is_made_once_and_opens_nothing, begin_test),
        cmocka_unit_test_setup(the_shared_pool_counts_as_no_tenant_s, begin_test),
        cmocka_unit_test_setup(what_is_left_out_has_the_contract_s_value, begin_test),
        cmocka_unit_test_setup(options_and_arguments_without_sense_are_refused_by_name, begin_test),
        cmocka_unit_test_setup(the_least_recently_used_is_evicted_and_looking_is_no_use, begin_test),
        cmocka_unit_test_setup(reports_are_the_contract_s_json, begin_test),
        cmocka_unit_test_setup(warmup_says_who_was_warm_already, begin_test),
        cmocka_unit_test_setup(warmup_tells_ends_in_the_order_asked_for, begin_test),
        cmocka_unit_test_setup(pools_expire_by_hand_by_the_thread_or_never, begin_test),
        cmocka_unit_test_setup(the_caller_may_name_the_schemas, begin_test),
        cmocka_unit_test_setup(ids_of_several_databases_are_told_apart, begin_test),
        cmocka_unit_test_setup(a_session_ends_with_its_loan, begin_test),
        cmocka_unit_test_setup(a_handle_outlives_its_pool_and_its_manager, begin_test),
        cmocka_unit_test_setup(a_pooler_that_gives_no_session_is_refused, begin_test),
    };
    return cmocka_run_group_tests_name("public pool manager", tests, start_server, stop_server);
}
