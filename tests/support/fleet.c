#include "tests/support/fleet.h"
#include "common/buffer.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Protocol times at one tenth, so that losing a worker is noticed in a test's time. */
static const char *const FAST[] = {
    "PGCONVOY_WIRE_HEARTBEAT_MS=200",
    "PGCONVOY_WIRE_SUSPECT_MS=600",
    "PGCONVOY_WIRE_DEAD_MS=2000",
    "PGCONVOY_WIRE_RESEND_MS=200",
    "PGCONVOY_WIRE_RECONNECT_MS=50",
    "PGCONVOY_WIRE_RECONNECT_MAX_MS=200",
    NULL,
};

Fleet *fleet_new(Cluster *cluster, int tenants)
{
    static int number;
    Fleet *fleet = calloc(1, sizeof *fleet);
    assert_non_null(fleet);
    fleet->cluster = cluster;
    fleet->tenants = tenants;
    assert_true(asprintf(&fleet->database, "fleet%d", ++number) > 0);
    PGconn *admin = cluster_connect(cluster, "postgres");
    sql_run(admin, "CREATE DATABASE %s", fleet->database);
    PQfinish(admin);
    fleet->url = cluster_url(cluster, fleet->database);
    fleet->connection = cluster_connect(cluster, fleet->database);
    sql_run(fleet->connection,
            "CREATE TABLE public.tenants (id text PRIMARY KEY);"
            "CREATE TABLE public.marks (schema text, migration text);"
            "INSERT INTO public.tenants SELECT 't' || lpad(i::text, 4, '0')"
            " FROM generate_series(1, %d) i",
            tenants);
    for (int first = 1; first <= tenants; first += 500)
        sql_run(fleet->connection,
                "DO $$ BEGIN FOR i IN %d..least(%d, %d) LOOP"
                " EXECUTE format('CREATE SCHEMA tenant_t%%s', lpad(i::text, 4, '0')); END LOOP; END $$",
                first, first + 499, tenants);
    fleet->folder = make_folder();
    char *migrations;
    assert_true(asprintf(&migrations, "%s/migrations", fleet->folder) > 0);
    assert_int_equal(mkdir(migrations, 0755), 0);
    free(migrations);
    fleet_configure(fleet, fleet->url, NULL);
    return fleet;
}

void fleet_free(Fleet *fleet)
{
    if (fleet == NULL)
        return;
    PQfinish(fleet->connection);
    remove_tree(fleet->folder);
    free(fleet->folder);
    free(fleet->url);
    free(fleet->database);
    free(fleet);
}

void fleet_configure(Fleet *fleet, const char *url, const char *extra)
{
    char *text;
    assert_true(asprintf(&text,
                         "databases:\n  - name: main\n    url: %s\n    max_connections: 20\n"
                         "tenants:\n  query: select id from public.tenants order by id\n"
                         "migrations:\n  folder: ./migrations\n%s\n",
                         url, extra != NULL ? extra : "") > 0);
    write_file(fleet->folder, "pgconvoy.yaml", text);
    free(text);
}

void fleet_add_migration(Fleet *fleet, const char *name, const char *text)
{
    char *path;
    assert_true(asprintf(&path, "migrations/%s.sql", name) > 0);
    write_file(fleet->folder, path, text);
    free(path);
}

/* What sleeps within a statement leaves a plain script plain; a SELECT never does. */
static void append_marker(Buffer *out, bool plain, const char *name, const char *sleep_s)
{
    static const char MARK[] = "INSERT INTO public.marks SELECT current_schema()";
    if (plain && sleep_s != NULL)
        buffer_appendf(out, "%s, '%s' FROM (SELECT pg_sleep(%s)) AS pause;\n", MARK, name, sleep_s);
    else
        buffer_appendf(out, "%s, '%s';\n", MARK, name);
    if (!plain && sleep_s != NULL)
        buffer_appendf(out, "SELECT pg_sleep(%s);\n", sleep_s);
    else if (!plain)
        buffer_append_text(out, "SELECT 1;\n");
}

void fleet_add_marker(Fleet *fleet, int number, const char *name, const char *text, const char *sleep_s)
{
    BUFFER_CLEANUP Buffer file = {0};
    buffer_append_text(&file, text);
    append_marker(&file, number % 2 == 1, name, sleep_s);
    fleet_add_migration(fleet, name, buffer_text(&file));
}

void fleet_add_markers(Fleet *fleet, int migrations, const char *sleep_s)
{
    for (int i = 1; i <= migrations; i++) {
        char name[32], text[256];
        snprintf(name, sizeof name, "%04d_m%d", i, i);
        snprintf(text, sizeof text,
                 "CREATE TABLE made_%d (id serial PRIMARY KEY, n int NOT NULL);\n"
                 "INSERT INTO made_%d (n) SELECT generate_series(1, 3);\n",
                 i, i);
        fleet_add_marker(fleet, i, name, text, sleep_s);
    }
}

/* The product's own times, for measuring, with PGCONVOY_FAULTS_FULL=1. */
static const char *const *wire_times(void)
{
    const char *full = getenv("PGCONVOY_FAULTS_FULL");
    return full != NULL && strcmp(full, "1") == 0 ? NULL : FAST;
}

int fleet_run(Fleet *fleet, const char *const words[], char **ret_out, char **ret_err)
{
    return process_run(fleet->folder, wire_times(), words, ret_out, ret_err);
}

Process *fleet_start(Fleet *fleet, const char *const words[])
{
    return process_start(fleet->folder, wire_times(), words);
}

Process *fleet_start_worker(Fleet *fleet, const char *endpoint, const char *slots)
{
    return fleet_start(fleet, (const char *const[]){"pgconvoy-worker", "--coordinator", endpoint, "--plain",
                                                    "--slots", slots, NULL});
}

void fleet_assert_nothing_twice(Fleet *fleet)
{
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM (SELECT FROM public.marks"
                                                   " GROUP BY schema, migration HAVING count(*) > 1) twice"),
                     0);
}

/* Rows in all tenants' tracking tables. */
static long long tracking_rows(Fleet *fleet)
{
    return sql_number(
        fleet->connection,
        "SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format("
        "'SELECT count(*) AS n FROM %%I.__drizzle_migrations', n.nspname), false, true, '')))[1]"
        "::text::int), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = '__drizzle_migrations' AND n.nspname LIKE 'tenant\\_%%'");
}

void fleet_assert_complete(Fleet *fleet, int migrations)
{
    fleet_assert_nothing_twice(fleet);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"),
                     (long long)fleet->tenants * migrations);
    assert_int_equal(tracking_rows(fleet), (long long)fleet->tenants * migrations);
}

long long json_number(json_t *report, const char *total)
{
    return json_integer_value(json_object_get(json_object_get(report, "summary"), total));
}

json_t *fleet_assert_report(Fleet *fleet, const char *text)
{
    json_error_t where;
    json_t *report = json_loads(text, 0, &where);
    if (report == NULL)
        fail_msg("the report is not JSON (line %d: %s): %.200s", where.line, where.text, text);
    assert_int_equal(json_number(report, "total"), json_number(report, "succeeded") +
                                                       json_number(report, "failed") +
                                                       json_number(report, "skipped"));
    json_t *results = json_object_get(report, "results"), *result;
    assert_int_equal(json_array_size(results), json_number(report, "total"));
    size_t i;
    json_array_foreach(results, i, result)
    {
        const char *schema = json_string_value(json_object_get(result, "schema"));
        json_t *applied = json_object_get(result, "appliedMigrations");
        Buffer names = {0};
        for (size_t n = 0; n < json_array_size(applied); n++)
            buffer_appendf(&names, "%s%s", n > 0 ? "," : "", json_string_value(json_array_get(applied, n)));
        char *table = sql_text(fleet->connection, "SELECT to_regclass('%s.__drizzle_migrations')", schema);
        char *rows = table[0] == '\0' ? strdup("")
                                      : sql_text(fleet->connection,
                                                 "SELECT string_agg(name, ',' ORDER BY id)"
                                                 " FROM %s.__drizzle_migrations",
                                                 schema);
        assert_string_equal(buffer_text(&names), rows);
        buffer_clear(&names);
        free(table);
        free(rows);
    }
    return report;
}

/* In the fleet's own database: a pooler keeps other fleets' connections, under their last user's name, for
 * long. */
static bool no_leftovers(void *fleet_pointer)
{
    Fleet *fleet = fleet_pointer;
    return sql_number(
               fleet->connection,
               "SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgconvoy/%%'"
               " AND datname = current_database())"
               " + (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
               " WHERE l.locktype = 'advisory' AND d.datname = current_database())") == 0;
}

void fleet_assert_no_leftovers(Fleet *fleet)
{
    await(no_leftovers, fleet, 10000, "the server to be free of our sessions and locks");
}

const char *fleet_endpoint(void)
{
    static char endpoints[16][40];
    static unsigned int next;
    for (;;) {
        int port = 13000 + (int)(((unsigned int)getpid() * 61 + next * 17) % 6000);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((unsigned short)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        char *endpoint = endpoints[next++ % 16];
        snprintf(endpoint, sizeof endpoints[0], "tcp://127.0.0.1:%d", port);
        if (bound == 0)
            return endpoint;
    }
}

char *fleet_digest(Fleet *fleet)
{
    return sql_text(fleet->connection,
                    "SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM ("
                    " SELECT c::text AS line FROM pg_class c UNION ALL SELECT a::text FROM pg_attribute a"
                    " UNION ALL SELECT n::text FROM pg_namespace n UNION ALL SELECT p::text FROM pg_proc p"
                    " UNION ALL SELECT t::text FROM pg_type t UNION ALL SELECT m::text FROM public.marks m"
                    " UNION ALL SELECT d::text FROM pg_depend d) everything");
}
