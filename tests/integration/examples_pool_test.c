/* The example of tenants' pools, as a user would run it. */
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include <stdio.h>

static Cluster *cluster;
static char environment[128];

static int run(const char *const words[], char **ret_out, char **ret_err)
{
    return process_run("/tmp", (const char *const[]){environment, NULL}, words, ret_out, ret_err);
}

static void two_tenants_answer_and_are_healthy(void **state)
{
    (void)state;
    char *out = NULL, *err = NULL;
    const char *const words[] = {"example-tenant_pools", "acme", "globex", NULL};
    assert_int_equal(run(words, &out, &err), 0);
    const char *json = strchr(out, '{');
    assert_non_null(json);
    assert_non_null(strstr(json, "\"healthy\":true,\"pools\":[{\"tenantId\":\"globex\""));
    out[json - out] = '\0';
    assert_string_equal(out, "pool of acme in database main\n"
                             "acme has 2 tables in tenant_acme\n"
                             "pool of globex in database main\n"
                             "globex has 1 tables in tenant_globex\n"
                             "healthy: 2 pools, 0 unhealthy\n");
    assert_string_equal(err, "");
    free(out);
    free(err);
}

static void a_missing_tenant_is_an_error_that_says_so(void **state)
{
    (void)state;
    char *out = NULL, *err = NULL;
    const char *const words[] = {"example-tenant_pools", "acme", "nobody", NULL};
    assert_int_equal(run(words, &out, &err), 1);
    assert_string_equal(
        err, "error: tenant \"nobody\": schema \"tenant_nobody\" does not exist (SQLSTATE 3F000)\n");
    free(out);
    free(err);
}

static int start_server(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    PGconn *admin = cluster_connect(cluster, "postgres");
    sql_run(admin, "CREATE SCHEMA tenant_acme; CREATE TABLE tenant_acme.a (); CREATE TABLE tenant_acme.b ();"
                   "CREATE SCHEMA tenant_globex; CREATE TABLE tenant_globex.a ()");
    PQfinish(admin);
    char *url = cluster_url(cluster, "postgres");
    snprintf(environment, sizeof environment, "DATABASE_URL=%s", url);
    free(url);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_tenants_answer_and_are_healthy),
        cmocka_unit_test(a_missing_tenant_is_an_error_that_says_so),
    };
    return cmocka_run_group_tests_name("example of the pool manager", tests, start_server, stop_server);
}
