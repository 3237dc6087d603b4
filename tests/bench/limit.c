/* The least that a program can do with libpq for the same work: what pgconvoy is measured against.
 *
 * It knows beforehand what its fleet looks like, takes no lock, retries nothing, keeps no journal and leaves
 * the session as the migrations left it. A few connections, one thread each, take the next job from a
 * counter; a job is one message. Prints one JSON line; exits 0 when every message succeeded.
 */
#include <dirent.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MIGRATIONS = 64, MOST_CONNECTIONS = 64, READ_AT_ONCE = 100, READERS = 2 };

#define TABLE "\"__drizzle_migrations\""

static const char USAGE[] =
    "usage: bench-limit migrate|status|digest URL TENANTS CONNECTIONS [MIGRATIONS [select|copy]]\n"
    "tenants are the schemas tenant_t000001 and so on, as tests/bench/run makes them\n";

typedef struct Text {
    char *data;
    size_t length, size;
} Text;

typedef struct Tenant {
    char schema[32];
    bool has_table;
    uint64_t applied; /* a bit for each migration */
} Tenant;

/* One kind of work: message number n, and what is done with each row that it gives. */
typedef struct Work {
    int jobs;
    bool (*message)(int job, Text *text); /* false: nothing to send */
    void (*row)(int job, int statement, const char *first, const char *second);
} Work;

static const char *url;
static int tenant_count, connection_count;
static bool by_copy;
static Tenant *tenants;
static int *members, member_count; /* what the jobs are about, as indexes of tenants */
static char *names[MOST_MIGRATIONS], *texts[MOST_MIGRATIONS];
static int migration_count;
static PGconn *connections[MOST_CONNECTIONS];
static const Work *work;
static atomic_int next_job, failures, digests;

static void die(const char *what)
{
    fprintf(stderr, "bench-limit: %s\n", what);
    exit(2);
}

__attribute__((format(printf, 2, 3))) static void append(Text *text, const char *format, ...)
{
    for (;;) {
        va_list arguments;
        va_start(arguments, format);
        size_t room = text->size - text->length;
        int length = vsnprintf(room > 0 ? text->data + text->length : NULL, room, format, arguments);
        va_end(arguments);
        if ((size_t)length < room) {
            text->length += (size_t)length;
            return;
        }
        text->size = 2 * text->size + (size_t)length + 1;
        if ((text->data = realloc(text->data, text->size)) == NULL)
            die("out of memory");
    }
}

/* COPY's rows have one field here, and nothing in it to escape. */
static void take_copy(PGconn *connection, int job, int statement)
{
    int length;
    for (char *row = NULL; (length = PQgetCopyData(connection, &row, 0)) > 0; PQfreemem(row)) {
        row[length - 1] = '\0';
        work->row(job, statement, row, "");
    }
}

static void take_answer(PGconn *connection, int job)
{
    PGresult *result;
    for (int statement = 0; (result = PQgetResult(connection)) != NULL; PQclear(result)) {
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COPY_OUT) {
            take_copy(connection, job, statement);
            continue;
        }
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && failures++ == 0)
            fprintf(stderr, "%s", PQresultErrorMessage(result));
        for (int row = 0; work->row != NULL && row < PQntuples(result); row++)
            work->row(job, statement, PQgetvalue(result, row, 0),
                      PQnfields(result) > 1 ? PQgetvalue(result, row, 1) : "");
        statement++;
    }
}

static void *serve(void *place)
{
    PGconn **connection = place;
    Text text = {0};
    for (int job; (job = next_job++) < work->jobs;) {
        text.length = 0;
        if (!work->message(job, &text))
            continue;
        if (*connection == NULL && PQstatus(*connection = PQconnectdb(url)) != CONNECTION_OK)
            die(PQerrorMessage(*connection));
        if (PQsendQuery(*connection, text.data) != 1)
            die(PQerrorMessage(*connection));
        take_answer(*connection, job);
    }
    free(text.data);
    return NULL;
}

static void run(const Work *what, int most_threads)
{
    pthread_t threads[MOST_CONNECTIONS];
    work = what;
    next_job = 0;
    int count = what->jobs < most_threads ? what->jobs : most_threads;
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, serve, &connections[i]) != 0)
            die("cannot start a thread");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static int tenant_of(const char *schema)
{
    int number = atoi(schema + strlen("tenant_t")) - 1;
    return number >= 0 && number < tenant_count ? number : -1;
}

/* Which tenants have a tracking table? */
static bool discover(int job, Text *text)
{
    (void)job;
    append(text, "SELECT n.nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid"
                 " WHERE c.relname = '__drizzle_migrations' AND n.nspname LIKE 'tenant\\_t%%'");
    return true;
}

static void take_discovered(int job, int statement, const char *schema, const char *second)
{
    (void)job, (void)statement, (void)second;
    int tenant = tenant_of(schema);
    if (tenant >= 0)
        tenants[tenant].has_table = true;
}

/* The tracking tables of many tenants: planning one UNION ALL of them would cost more than a statement each.
 */
static bool read_tables(int job, Text *text)
{
    for (int i = job * READ_AT_ONCE; i < member_count && i < (job + 1) * READ_AT_ONCE; i++)
        append(text,
               by_copy ? "COPY \"%s\"." TABLE " (name) TO STDOUT;" : "SELECT name FROM \"%s\"." TABLE ";",
               tenants[members[i]].schema);
    return true;
}

static void take_name(int job, int statement, const char *name, const char *second)
{
    (void)second;
    Tenant *tenant = &tenants[members[job * READ_AT_ONCE + statement]];
    for (int i = 0; i < migration_count; i++)
        if (strcmp(names[i], name) == 0)
            tenant->applied |= UINT64_C(1) << i;
}

/* A tenant's pending migrations, a transaction each, in one message. */
static bool apply(int job, Text *text)
{
    const Tenant *tenant = &tenants[members[job]];
    const char *schema = tenant->schema;
    if (!tenant->has_table)
        append(text,
               "CREATE TABLE \"%s\"." TABLE " (id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE,"
               " applied_at TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP);",
               schema);
    for (int i = 0; i < migration_count; i++)
        if ((tenant->applied >> i & 1) == 0)
            append(text,
                   "BEGIN; SET LOCAL search_path TO \"%s\", public; %s\n; INSERT INTO \"%s\"." TABLE
                   " (name) VALUES ('%s'); COMMIT;",
                   schema, texts[i], schema, names[i]);
    return true;
}

/* What tenants' schemas look like, one digest each, by the raw catalogs: no expression is put into words but
 * defaults and checks. */
static const char DIGEST[] =
    "WITH s AS MATERIALIZED (SELECT oid, nspname FROM pg_namespace WHERE nspname BETWEEN '%s' AND '%s'),"
    " r AS MATERIALIZED (SELECT c.oid, c.relname, c.relkind, s.nspname FROM pg_class c"
    "  JOIN s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'i', 'I')"
    "  AND c.relname <> '__drizzle_migrations'),"
    " t AS MATERIALIZED (SELECT oid, relname, nspname FROM r WHERE relkind IN ('r', 'p')),"
    " f AS (SELECT nspname, 'column ' || relname || ' ' || attname || ' ' || typname || ' ' || atttypmod || "
    "' ' ||"
    "   attnotnull || ' ' || attidentity::text || attgenerated::text || ' ' ||"
    "   coalesce(replace(pg_get_expr(adbin, adrelid), nspname || '.', ''), '') AS fact"
    "  FROM t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped"
    "  JOIN pg_type ON pg_type.oid = atttypid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
    " UNION ALL SELECT t.nspname, 'index ' || t.relname || ' ' || i.relname || ' ' || indisunique || ' ' ||"
    "   indisprimary || ' ' || indoption::text || ' ' || coalesce(indpred::text, '') || ' ' ||"
    "   (SELECT string_agg(attname, ',' ORDER BY o) FROM unnest(indkey::int2[]) WITH ORDINALITY AS k(n, o)"
    "    JOIN pg_attribute ON attrelid = indrelid AND attnum = n)"
    "  FROM t JOIN pg_index ON indrelid = t.oid JOIN r i ON i.oid = indexrelid"
    " UNION ALL SELECT t.nspname, 'constraint ' || t.relname || ' ' || conname || ' ' || contype::text || ' "
    "' ||"
    "   coalesce(c.relname, '') || ' ' || confupdtype::text || confdeltype::text || ' ' ||"
    "   coalesce(pg_get_expr(conbin, conrelid), '') || ' ' ||"
    "   coalesce((SELECT string_agg(attname, ',' ORDER BY o) FROM unnest(conkey) WITH ORDINALITY AS k(n, o)"
    "    JOIN pg_attribute ON attrelid = conrelid AND attnum = n), '') || ' ' ||"
    "   coalesce((SELECT string_agg(attname, ',' ORDER BY o) FROM unnest(confkey) WITH ORDINALITY AS k(n, o)"
    "    JOIN pg_attribute ON attrelid = confrelid AND attnum = n), '')"
    "  FROM t JOIN pg_constraint ON conrelid = t.oid LEFT JOIN pg_class c ON c.oid = confrelid"
    " UNION ALL SELECT nspname, 'enum ' || typname || ' ' || enumlabel || ' ' || enumsortorder FROM s"
    "  JOIN pg_type ON typnamespace = s.oid AND typtype = 'e' JOIN pg_enum ON enumtypid = pg_type.oid)"
    " SELECT md5(string_agg(fact, E'\\n' ORDER BY fact COLLATE \"C\")) FROM f GROUP BY nspname";

static bool digest(int job, Text *text)
{
    int share = (tenant_count + connection_count - 1) / connection_count, first = job * share;
    int last = first + share < tenant_count ? first + share - 1 : tenant_count - 1;
    if (first >= tenant_count)
        return false;
    append(text, DIGEST, tenants[first].schema, tenants[last].schema);
    return true;
}

/* Each connection's tenants are compared by the one that serves it; the fleet of a bench is all alike. */
static void take_digest(int job, int statement, const char *text, const char *second)
{
    static _Thread_local char first[40];
    (void)job, (void)statement, (void)second;
    if (first[0] == '\0')
        snprintf(first, sizeof first, "%s", text);
    if (strcmp(first, text) == 0)
        digests++;
}

/* Fills members with the tenants that `wanted` is true for. */
static void choose(bool (*wanted)(const Tenant *tenant))
{
    member_count = 0;
    for (int i = 0; i < tenant_count; i++)
        if (wanted(&tenants[i]))
            members[member_count++] = i;
}

static bool has_table(const Tenant *tenant)
{
    return tenant->has_table;
}

static bool is_behind(const Tenant *tenant)
{
    return tenant->applied + 1 != UINT64_C(1) << migration_count;
}

static void read_status(void)
{
    run(&(Work){1, discover, take_discovered}, 1);
    choose(has_table);
    run(&(Work){(member_count + READ_AT_ONCE - 1) / READ_AT_ONCE, read_tables, take_name}, READERS);
}

static int is_script(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".sql") == 0;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    Text text = {0};
    char part[4096];
    if (file == NULL)
        die(path);
    while (fgets(part, sizeof part, file) != NULL)
        append(&text, "%s", part);
    fclose(file);
    return text.data;
}

static void load_migrations(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_script, alphasort);
    if (count < 0 || count > MOST_MIGRATIONS - 1)
        die(folder);
    for (; migration_count < count; migration_count++) {
        const char *file = entries[migration_count]->d_name;
        Text path = {0};
        append(&path, "%s/%s", folder, file);
        texts[migration_count] = read_file(path.data);
        names[migration_count] = strndup(file, strlen(file) - 4);
        free(path.data);
    }
}

int main(int count, char **words)
{
    if (count < 5)
        die(USAGE);
    const char *what = words[1];
    url = words[2];
    tenant_count = atoi(words[3]);
    connection_count = atoi(words[4]);
    if (tenant_count < 1 || connection_count < 1 || connection_count > MOST_CONNECTIONS)
        die(USAGE);
    by_copy = count > 6 && strcmp(words[6], "copy") == 0;
    tenants = calloc((size_t)tenant_count, sizeof *tenants);
    members = calloc((size_t)tenant_count, sizeof *members);
    if (tenants == NULL || members == NULL)
        die("out of memory");
    for (int i = 0; i < tenant_count; i++)
        snprintf(tenants[i].schema, sizeof tenants[i].schema, "tenant_t%06d", i + 1);
    if (count > 5)
        load_migrations(words[5]);
    int done = 0;
    if (strcmp(what, "digest") == 0) {
        run(&(Work){connection_count, digest, take_digest}, connection_count);
        done = digests;
    } else {
        read_status();
        choose(is_behind);
        done = tenant_count - member_count;
        if (strcmp(what, "migrate") == 0) {
            run(&(Work){member_count, apply, NULL}, connection_count);
            done = tenant_count;
        }
    }
    for (int i = 0; i < MOST_CONNECTIONS; i++)
        PQfinish(connections[i]);
    printf("{\"tenants\":%d,\"done\":%d,\"failed\":%d}\n", tenant_count, done, (int)failures);
    return failures == 0 && done == tenant_count ? 0 : 1;
}
