/* The throwaway server that all integration tests stand on. */
#include "tests/support/cluster.h"
#include "tests/support/test.h"

static void answers_directly_through_the_bouncer_and_after_a_crash(void **state)
{
    (void)state;
    Cluster *cluster = cluster_start(NULL);
    PGconn *connection = cluster_connect(cluster, "postgres");
    sql_run(connection, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)");
    cluster_start_bouncer(cluster, 2);
    char *url = cluster_bouncer_url(cluster, "postgres");
    PGconn *pooled = PQconnectdb(url);
    free(url);
    assert_int_equal(sql_number(pooled, "SELECT n FROM kept"), 7);
    PQfinish(pooled);
    PQfinish(connection);
    cluster_kill(cluster);
    cluster_restart(cluster);
    connection = cluster_connect(cluster, "postgres");
    assert_int_equal(sql_number(connection, "SELECT count(*) FROM pg_class WHERE relname = 'kept'"), 1);
    PQfinish(connection);
    cluster_stop(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_directly_through_the_bouncer_and_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
