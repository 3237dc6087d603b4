#include "common/json.h"
#include "common/results_pools.h"
#include "tests/support/test.h"

static void assert_metrics(const MetricsResult *metrics, const char *expected)
{
    char *text = metrics_result_json(metrics);
    assert_string_equal(text, expected);
    free(text);
}

static void metrics_nest_pools_and_shared(void **state)
{
    (void)state;
    MetricsResult metrics = {.total = 1, .max_pools = 50, .timestamp = "now"};
    assert_metrics(&metrics,
                   "{\"pools\":{\"total\":1,\"maxPools\":50,\"tenants\":[]},"
                   "\"shared\":{\"initialized\":false,\"connections\":null},\"timestamp\":\"now\"}");
    TenantPoolMetrics tenant = {.tenant_id = "a",
                                .schema_name = "tenant_a",
                                .connections = {.total = 3, .idle = 2, .waiting = 1},
                                .last_accessed_at = "then",
                                .database = "main"};
    metrics.tenants = (RecordList){.items = &tenant, .count = 1};
    metrics.shared_initialized = true;
    metrics.shared = (PoolConnections){.total = 6, .idle = 5, .waiting = 4};
    assert_metrics(&metrics,
                   "{\"pools\":{\"total\":1,\"maxPools\":50,\"tenants\":["
                   "{\"tenantId\":\"a\",\"schemaName\":\"tenant_a\","
                   "\"connections\":{\"total\":3,\"idle\":2,\"waiting\":1},"
                   "\"lastAccessedAt\":\"then\",\"database\":\"main\"}]},"
                   "\"shared\":{\"initialized\":true,"
                   "\"connections\":{\"total\":6,\"idle\":5,\"waiting\":4}},\"timestamp\":\"now\"}");
}

static void an_empty_result_has_json_too(void **state)
{
    (void)state;
    assert_metrics(&(MetricsResult){0},
                   "{\"pools\":{\"total\":0,\"maxPools\":0,\"tenants\":[]},"
                   "\"shared\":{\"initialized\":false,\"connections\":null},\"timestamp\":\"\"}");
    char *text = record_to_json_text(&WARMUP_RESULT, &(WarmupResult){0});
    assert_string_equal(text, "{\"total\":0,\"succeeded\":0,\"failed\":0,\"alreadyWarm\":0,"
                              "\"durationMs\":0,\"details\":[]}");
    free(text);
}

static void what_was_not_measured_is_absent(void **state)
{
    (void)state;
    PoolHealth health = {.tenant_id = "a", .schema_name = "tenant_a", .status = "ok"};
    char *text = record_to_json_text(&POOL_HEALTH, &health);
    assert_string_equal(text, "{\"tenantId\":\"a\",\"schemaName\":\"tenant_a\",\"status\":\"ok\","
                              "\"totalConnections\":0,\"idleConnections\":0,\"waitingRequests\":0}");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_nest_pools_and_shared),
        cmocka_unit_test(an_empty_result_has_json_too),
        cmocka_unit_test(what_was_not_measured_is_absent),
    };
    return cmocka_run_group_tests_name("results of pools", tests, NULL, NULL);
}
