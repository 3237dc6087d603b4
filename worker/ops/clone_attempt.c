#include "worker/ops/clone_attempt.h"
#include "worker/ops/clone_script.h"
#include "worker/ops/clone_sql.h"
#include "worker/pg/session.h"
#include "worker/pg/sql.h"
#include "worker/pg/tenant_lock.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct Attempt {
    const CloneRequest *request;
    Connection *connection;
    CloneProgress progress;
    ClonePlan plan;
    CloneReport report;
} Attempt;

/* What the first message has found. */
typedef struct Look {
    bool refused_lock;
    bool source_exists, source_usable, target_exists;
    bool target_is_ours; /* of the earlier attempt */
    bool answered;
    char transaction[24];
} Look;

/* Whoever works on one of the tenants holds its lock until it has committed. The locks of the session bridge
 * the moment between that and the snapshot; those of the transaction take over. */
static const char LOCKS[] =
    "BEGIN; SELECT pg_catalog.pg_try_advisory_lock(%lld) AS lock, pg_catalog.pg_try_advisory_lock(%lld);"
    " COMMIT;\n";
static const char LOCKS_TAKEN_OVER[] =
    "SELECT pg_catalog.pg_try_advisory_xact_lock(%lld) AS lock, pg_catalog.pg_try_advisory_xact_lock(%lld);\n"
    "SELECT pg_catalog.pg_advisory_unlock_all();\n";

/* Row security that would hide rows is an error then; bodies of functions may speak of what comes later;
 * values that go through a text come back as they were; the catalogs are read by index, however many tenants
 * there are. */
static const char SETTINGS[] =
    "SELECT pg_catalog.set_config(name, setting, true) FROM (VALUES ('row_security', 'off'),"
    " ('check_function_bodies', 'off'), ('extra_float_digits', '3'), ('datestyle', 'ISO, YMD'),"
    " ('intervalstyle', 'postgres'), ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'),"
    " ('enable_mergejoin', 'off'), ('jit', 'off')) AS s(name, setting);\n";

static const char PLANNER_AGAIN[] =
    "SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_hashjoin TO DEFAULT;"
    " SET LOCAL enable_mergejoin TO DEFAULT; SET LOCAL jit TO DEFAULT;\n";

/* A schema is the earlier attempt's when its row is of that transaction, or, should the row have changed
 * since, when the transaction is known to have committed. */
static void append_look(Buffer *sql, const CloneRequest *request)
{
    const char *source = request->schemas.source, *target = request->schemas.target;
    buffer_append_text(sql, "SELECT n.oid IS NOT NULL AS look, n.oid IS NOT NULL AND"
                            " pg_catalog.has_schema_privilege(n.oid, 'USAGE'), t.oid IS NOT NULL,"
                            " pg_catalog.pg_current_xact_id(), ");
    if (request->earlier == NULL)
        buffer_append_text(sql, "false");
    else
        buffer_appendf(sql,
                       "t.xmin::text::pg_catalog.int8 = %s %% 4294967296 OR CASE WHEN '%s'::xid8 <"
                       " pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()) THEN"
                       " pg_catalog.pg_xact_status('%s') = 'committed' END",
                       request->earlier, request->earlier, request->earlier);
    buffer_append_text(sql,
                       " FROM (VALUES (1)) AS one(row) LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = ");
    sql_append_literal(sql, source);
    buffer_append_text(sql, " LEFT JOIN pg_catalog.pg_namespace t ON t.nspname = ");
    sql_append_literal(sql, target);
    buffer_append_text(sql, ";\n");
}

/* Who alters a table now waits for us, and we for who does already. */
static void append_table_locks(Buffer *sql, const char *source)
{
    BUFFER_CLEANUP Buffer literal = {0};
    sql_append_literal(&literal, source);
    buffer_appendf(
        sql,
        "DO $pgconvoy$ DECLARE t text; BEGIN FOR t IN SELECT format('%%I.%%I', n.nspname, c.relname)"
        " FROM pg_namespace n JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass"
        " AND d.refobjid = n.oid AND d.classid = 'pg_class'::regclass JOIN pg_class c"
        " ON c.oid = d.objid WHERE n.nspname = %s AND c.relkind IN ('r', 'p')"
        " AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.oid LOOP"
        " EXECUTE 'LOCK TABLE ONLY ' || t || ' IN ACCESS SHARE MODE'; END LOOP; END $pgconvoy$;\n",
        buffer_text(&literal));
}

static void take_look(void *context, const PGresult *rows)
{
    Look *look = context;
    const char *name = PQnfields(rows) > 0 ? PQfname(rows, 0) : "";
    if (strcmp(name, "lock") == 0)
        look->refused_lock |= PQgetvalue(rows, 0, 0)[0] != 't' || PQgetvalue(rows, 0, 1)[0] != 't';
    if (strcmp(name, "look") != 0)
        return;
    look->answered = true;
    look->source_exists = PQgetvalue(rows, 0, 0)[0] == 't';
    look->source_usable = PQgetvalue(rows, 0, 1)[0] == 't';
    look->target_exists = PQgetvalue(rows, 0, 2)[0] == 't';
    look->target_is_ours = look->target_exists && PQgetvalue(rows, 0, 4)[0] == 't';
    snprintf(look->transaction, sizeof look->transaction, "%s", PQgetvalue(rows, 0, 3));
}

static bool open_transaction(const Attempt *attempt, Look *look, Error *error)
{
    const CloneRequest *request = attempt->request;
    BUFFER_CLEANUP Buffer sql = {0};
    int64_t first, second;
    if (!tenant_lock_key(request->schemas.source, &first, error) ||
        !tenant_lock_key(request->schemas.target, &second, error))
        return false;
    if (first > second) { /* two clones across each other meet at the same lock */
        int64_t other = first;
        first = second;
        second = other;
    }
    SessionSettings settings = {.search_path = "pg_catalog, pg_temp",
                                .lock_timeout_ms = request->lock_timeout_ms,
                                .statement_timeout_ms = request->options->statement_timeout_ms,
                                .server_version = connection_server_version(attempt->connection),
                                .one_snapshot = true};
    buffer_appendf(&sql, LOCKS, (long long)first, (long long)second);
    session_append_begin_write(&sql, &settings);
    buffer_appendf(&sql, LOCKS_TAKEN_OVER, (long long)first, (long long)second);
    append_look(&sql, request);
    if (buffer_failed(&sql))
        return error_memory(error);
    if (!connection_exec_each(attempt->connection, buffer_text(&sql), take_look, look, error))
        return false;
    return look->answered || error_set(error, ERROR_SERVER, "the server did not say what is there");
}

static bool check_look(const CloneRequest *request, const Look *look, Error *error)
{
    if (!look->source_exists) {
        error_set(error, ERROR_NO_SCHEMA, "Source tenant \"%s\" does not exist", request->options->source_id);
        error_set_detail(error, "there is no schema \"%s\"", request->schemas.source);
        return false;
    }
    if (look->target_exists) {
        error_set(error, ERROR_SERVER, "Target tenant \"%s\" already exists", request->target_id);
        error_set_detail(error, "there is a schema \"%s\"", request->schemas.target);
        error_set_hint(error, "choose another id, or drop the tenant first");
        return false;
    }
    if (look->source_usable)
        return true;
    error_set(error, ERROR_SERVER, "permission denied for schema %s", request->schemas.source);
    memcpy(error->sqlstate, "42501", 6);
    error_set_hint(error, "grant USAGE on it to the role that clones");
    return false;
}

static bool is_cancelled(const Attempt *attempt, Error *error)
{
    const atomic_bool *cancelled = attempt->request->cancelled;
    if (cancelled == NULL || !atomic_load(cancelled))
        return false;
    error_set(error, ERROR_CANCELLED, "cancelled before the clone was complete");
    return true;
}

static bool make_plan(Attempt *attempt, Error *error)
{
    const CloneRequest *request = attempt->request;
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_append_text(&sql, SETTINGS);
    append_table_locks(&sql, request->schemas.source);
    if (buffer_failed(&sql))
        return error_memory(error);
    ClonePlan *plan = &attempt->plan;
    return clone_progress_tell(&attempt->progress, "introspecting", error) &&
           connection_exec(attempt->connection, buffer_text(&sql), NULL, error) &&
           clone_plan_read(plan, attempt->connection, request->schemas.source, request->schemas.target,
                           error) &&
           clone_data_choose(plan, request->options, error) && clone_plan_leave_out(plan, error) &&
           clone_plan_order(plan, error);
}

/* `more` follows the target: everything is understood as it was put into words, or as the tenant's own
 * migrations understand it. */
static bool set_path(Attempt *attempt, const char *more, Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0}, path = {0};
    sql_append_identifier(&path, attempt->request->schemas.target);
    buffer_append_text(&path, more);
    buffer_append_text(&sql, "SELECT pg_catalog.set_config('search_path', ");
    sql_append_literal(&sql, buffer_text(&path));
    buffer_append_text(&sql, ", true)");
    if (buffer_failed(&sql) || buffer_failed(&path))
        return error_memory(error);
    return connection_exec(attempt->connection, buffer_text(&sql), NULL, error);
}

static const char PATH_OF_WORDS[] = ", pg_catalog, public, pg_temp";
static const char PATH_OF_TENANT[] = ", public";

static bool begin_target(Attempt *attempt, Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_append_text(&sql, PLANNER_AGAIN);
    buffer_append_text(&sql, "CREATE SCHEMA ");
    sql_append_identifier(&sql, attempt->request->schemas.target);
    if (buffer_failed(&sql))
        return error_memory(error);
    return clone_progress_tell(&attempt->progress, "creating_schema", error) &&
           connection_exec(attempt->connection, buffer_text(&sql), NULL, error) &&
           set_path(attempt, PATH_OF_WORDS, error);
}

static bool copy_rows(Attempt *attempt, const CloneTable *table, Error *error)
{
    const CloneRequest *request = attempt->request;
    BUFFER_CLEANUP Buffer sql = {0};
    PGresult *result = NULL;
    clone_data_append_rows(&sql, &attempt->plan, table, &request->schemas, request->options);
    if (buffer_failed(&sql))
        return error_memory(error);
    if (!table->kept_anyway && !clone_progress_tell_table(&attempt->progress, table->name, error))
        return false;
    bool good = !is_cancelled(attempt, error) &&
                connection_exec(attempt->connection, buffer_text(&sql), &result, error);
    if (good && !table->kept_anyway)
        attempt->report.rows += strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    if (!good) {
        buffer_reset(&sql);
        buffer_appendf(&sql, "the rows of table %s", table->name);
        clone_error_about(error, buffer_text(&sql));
    }
    return good;
}

static bool copy_data(Attempt *attempt, Error *error)
{
    const CloneRequest *request = attempt->request;
    const ClonePlan *plan = &attempt->plan;
    if (!set_path(attempt, PATH_OF_TENANT, error))
        return false;
    for (size_t i = 0; i < plan->tables.count; i++)
        if (clone_data_copies(&plan->tables.items[i], request->options) &&
            !copy_rows(attempt, &plan->tables.items[i], error))
            return false;
    BUFFER_CLEANUP Buffer sql = {0};
    clone_data_append_sequences(&sql, plan, &request->schemas, request->options);
    if (buffer_failed(&sql))
        return error_memory(error);
    return (sql.length == 0 || connection_exec(attempt->connection, buffer_text(&sql), NULL, error)) &&
           set_path(attempt, PATH_OF_WORDS, error);
}

static bool is_name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80) != 0;
}

/* Does a text name this schema as a word of its own? */
static bool speaks_of(const char *text, const char *schema)
{
    size_t length = strlen(schema);
    for (const char *at = text; (at = strstr(at, schema)) != NULL; at++)
        if ((at == text || !is_name_part(at[-1])) && !is_name_part(at[length]))
            return true;
    return false;
}

static bool note_warning(Attempt *attempt, const char *text, Error *error)
{
    return text_list_add(&attempt->report.warnings, text) || error_memory(error);
}

/* The server has left the schema's name out wherever it knows that it is one; what is left is in texts. */
static bool look_for_source(Attempt *attempt, const CloneNode *node, Error *error)
{
    const char *source = attempt->request->schemas.source;
    if (node->rank == CLONE_COLLATION)
        return true;
    for (size_t i = 0; i < node->statements.count; i++) {
        if (!speaks_of(node->statements.items[i], source))
            continue;
        BUFFER_CLEANUP Buffer text = {0};
        buffer_appendf(&text, "%s still speaks of \"%s\"", node->label, source);
        return buffer_failed(&text) ? error_memory(error) : note_warning(attempt, buffer_text(&text), error);
    }
    return true;
}

static bool make_node(Attempt *attempt, CloneScript *script, const CloneNode *node, Error *error)
{
    if (node->rank == CLONE_DATA)
        return clone_script_flush(script, error) && copy_data(attempt, error);
    if (node->left_out)
        return true;
    for (size_t i = 0; i < node->statements.count; i++)
        if (!clone_script_add(script, node->label, node->statements.items[i], error))
            return false;
    return look_for_source(attempt, node, error);
}

/* What belongs to the step before is done by then. */
static bool begin_step(Attempt *attempt, CloneScript *script, int64_t rank, Error *error)
{
    CloneProgress *progress = &attempt->progress;
    return !clone_progress_is_new(progress, rank) ||
           (clone_script_flush(script, error) && clone_progress_reach(progress, rank, error));
}

static bool make_nodes(Attempt *attempt, Error *error)
{
    const ClonePlan *plan = &attempt->plan;
    CloneScript script = {.connection = attempt->connection};
    bool good = true;
    for (size_t i = 0; good && i < plan->nodes.count; i++) {
        const CloneNode *node = &plan->nodes.items[plan->order[i]];
        good = !is_cancelled(attempt, error) && begin_step(attempt, &script, node->rank, error) &&
               make_node(attempt, &script, node, error);
    }
    good = good && clone_script_flush(&script, error) && begin_step(attempt, &script, CLONE_POLICY, error);
    clone_script_clear(&script);
    return good;
}

/* Over tables without rows a query may divide by none, and with rights that were refused the clone is whole,
 * too: the result says what it lacks. */
static bool is_forgivable(const Attempt *attempt, const CloneLate *late, const Error *error)
{
    if (late->step >= CLONE_RIGHT)
        return strcmp(error->sqlstate, "42501") == 0;
    static const char *const OF_THE_QUERY[] = {"22", "23", "42", "P0"};
    for (size_t i = 0; i < sizeof OF_THE_QUERY / sizeof OF_THE_QUERY[0]; i++)
        if (strncmp(error->sqlstate, OF_THE_QUERY[i], 2) == 0)
            return !attempt->request->options->with_data;
    return false;
}

/* One statement that may fail without harm to the rest. */
static bool try_late(Attempt *attempt, const CloneLate *late, Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "SAVEPOINT pgconvoy; %s; RELEASE pgconvoy", late->statement);
    if (is_cancelled(attempt, error))
        return false;
    if (buffer_failed(&sql))
        return error_memory(error);
    if (connection_exec(attempt->connection, buffer_text(&sql), NULL, error))
        return true;
    if (!is_forgivable(attempt, late, error)) {
        clone_error_about(error, late->label);
        return false;
    }
    buffer_reset(&sql);
    buffer_appendf(&sql, "%s: not as in the source: %s", late->label, error->message);
    error_clear(error);
    return connection_exec(attempt->connection, "ROLLBACK TO pgconvoy; RELEASE pgconvoy", NULL, error) &&
           note_warning(attempt, buffer_text(&sql), error);
}

/* Filled in the order in which they were made. */
static bool refresh_views(Attempt *attempt, Error *error)
{
    const ClonePlan *plan = &attempt->plan;
    for (size_t i = 0; i < plan->nodes.count; i++) {
        const CloneNode *node = &plan->nodes.items[plan->order[i]];
        for (size_t k = 0; node->rank == CLONE_VIEW && k < plan->late.count; k++) {
            const CloneLate *late = &plan->late.items[k];
            if (late->step == CLONE_REFRESH && late->relation == node->relation &&
                !try_late(attempt, late, error))
                return false;
        }
    }
    return true;
}

static bool finish_one(Attempt *attempt, CloneScript *script, const CloneLate *late, Error *error)
{
    if (late->step == CLONE_REFRESH || clone_plan_leaves_out(&attempt->plan, late->relation))
        return true;
    if (late->step < CLONE_RIGHT)
        return clone_script_add(script, late->label, late->statement, error);
    return clone_script_flush(script, error) && try_late(attempt, late, error);
}

static bool finish(Attempt *attempt, Error *error)
{
    const ClonePlan *plan = &attempt->plan;
    CloneScript script = {.connection = attempt->connection};
    bool good = refresh_views(attempt, error);
    for (size_t i = 0; good && i < plan->late.count; i++)
        good = finish_one(attempt, &script, &plan->late.items[i], error);
    good = good && clone_script_flush(&script, error);
    clone_script_clear(&script);
    return good;
}

static bool list_tables(Attempt *attempt, Error *error)
{
    const ClonePlan *plan = &attempt->plan;
    for (size_t i = 0; i < plan->tables.count; i++) {
        const CloneTable *table = &plan->tables.items[i];
        if (!table->left_out && !table->kept_anyway && !text_list_add(&attempt->report.tables, table->name))
            return error_memory(error);
    }
    for (size_t i = 0; i < plan->warnings.count; i++)
        if (!note_warning(attempt, plan->warnings.items[i], error))
            return false;
    return true;
}

static bool copy_schema(Attempt *attempt, Error *error)
{
    return make_plan(attempt, error) && begin_target(attempt, error) && list_tables(attempt, error) &&
           make_nodes(attempt, error) && finish(attempt, error) &&
           connection_exec(attempt->connection, SETTINGS, NULL, error) &&
           clone_plan_check_apart(&attempt->plan, attempt->connection, attempt->request->schemas.target,
                                  error) &&
           !is_cancelled(attempt, error);
}

/* Only COMMIT's own tag says that it has. */
static void take_commit(void *context, const PGresult *result)
{
    if (strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0)
        *(bool *)context = true;
}

static CloneVerdict commit(Connection *connection, Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0};
    buffer_appendf(&sql, "COMMIT; %s", SESSION_TAIL);
    if (buffer_failed(&sql)) {
        session_roll_back(connection);
        error_memory(error);
        return CLONE_REFUSED;
    }
    bool committed = false;
    bool good = connection_exec_each(connection, buffer_text(&sql), take_commit, &committed, error);
    if (committed) {
        if (!good) /* the tail failed; the clone is there */
            session_roll_back(connection);
        error_clear(error);
        return CLONE_MADE;
    }
    if (PQstatus(connection_pg(connection)) != CONNECTION_OK)
        return CLONE_LOST;
    if (good)
        error_set(error, ERROR_SERVER, "the server did not commit the transaction");
    session_roll_back(connection);
    return CLONE_REFUSED;
}

static CloneVerdict judge(Attempt *attempt, Error *error)
{
    const CloneRequest *request = attempt->request;
    Look look = {0};
    if (!open_transaction(attempt, &look, error))
        return CLONE_REFUSED;
    if (look.refused_lock)
        return CLONE_BUSY;
    if (request->earlier != NULL && look.target_is_ours)
        return CLONE_FOUND;
    if (request->probe)
        return CLONE_ABSENT;
    memcpy(attempt->report.transaction, look.transaction, sizeof look.transaction);
    if (!check_look(request, &look, error))
        return look.source_exists && look.target_exists ? CLONE_TAKEN : CLONE_REFUSED;
    return copy_schema(attempt, error) ? CLONE_MADE : CLONE_REFUSED;
}

CloneVerdict clone_attempt(const CloneRequest *request, Connection *connection, CloneReport *report,
                           Error *error)
{
    Attempt attempt = {.request = request, .connection = connection, .progress = request->progress};
    attempt.progress.with_data = request->options->with_data;
    CloneVerdict verdict = judge(&attempt, error);
    if (verdict == CLONE_MADE)
        verdict = commit(connection, error);
    else
        session_roll_back(connection);
    if (verdict == CLONE_MADE || verdict == CLONE_LOST) {
        clone_report_clear(report);
        *report = attempt.report;
        attempt.report = (CloneReport){0};
    }
    clone_report_clear(&attempt.report);
    clone_plan_clear(&attempt.plan);
    return verdict;
}

void clone_report_clear(CloneReport *report)
{
    text_list_clear(&report->tables);
    text_list_clear(&report->warnings);
    *report = (CloneReport){0};
}
