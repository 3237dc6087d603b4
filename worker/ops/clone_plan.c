#include "worker/ops/clone_plan.h"
#include "common/buffer.h"
#include "worker/ops/clone_order.h"
#include "worker/ops/clone_sql.h"
#include "worker/pg/sql.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the rows of one message become. */
typedef struct Reader {
    ClonePlan *plan;
    CloneTable *table; /* whose columns come */
    bool failed;
} Reader;

static uint32_t oid_at(const PGresult *rows, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(rows, row, column), NULL, 10);
}

static CloneKey key_at(const PGresult *rows, int row, int column)
{
    return (CloneKey)oid_at(rows, row, column) << 32 | oid_at(rows, row, column + 1);
}

static char *text_at(Reader *reader, const PGresult *rows, int row, int column)
{
    char *text = strdup(PQgetvalue(rows, row, column));
    reader->failed = reader->failed || text == NULL;
    return text;
}

/* One more zeroed item of a growing list; NULL when memory ran out. */
static void *grow(Reader *reader, void **items, size_t *count, size_t *capacity, size_t size)
{
    if (*count == *capacity) {
        size_t more = *capacity == 0 ? 64 : 2 * *capacity;
        void *grown = realloc(*items, more * size);
        if (grown == NULL) {
            reader->failed = true;
            return NULL;
        }
        *items = grown;
        *capacity = more;
    }
    void *item = (char *)*items + (*count)++ * size;
    return memset(item, 0, size);
}

#define GROW(reader, list) \
    grow((reader), (void **)&(list).items, &(list).count, &(list).capacity, sizeof *(list).items)

static void take_node(Reader *reader, const PGresult *rows, int row)
{
    ClonePlan *plan = reader->plan;
    CloneKey key = key_at(rows, row, 1);
    CloneNode *node = plan->nodes.count > 0 ? &plan->nodes.items[plan->nodes.count - 1] : NULL;
    if (node == NULL || node->key != key) {
        if ((node = GROW(reader, plan->nodes)) == NULL)
            return;
        node->rank = oid_at(rows, row, 0);
        node->key = key;
        node->relation = oid_at(rows, row, 3);
        node->label = text_at(reader, rows, row, 4);
    }
    if (!text_list_add(&node->statements, PQgetvalue(rows, row, 5)))
        reader->failed = true;
}

static void take_late(Reader *reader, const PGresult *rows, int row)
{
    CloneLate *late = GROW(reader, reader->plan->late);
    if (late == NULL)
        return;
    late->step = oid_at(rows, row, 0);
    late->relation = oid_at(rows, row, 1);
    late->label = text_at(reader, rows, row, 2);
    late->statement = text_at(reader, rows, row, 3);
}

static void take_part(Reader *reader, const PGresult *rows, int row)
{
    ClonePart *part = GROW(reader, reader->plan->parts);
    if (part != NULL)
        *part = (ClonePart){key_at(rows, row, 0), key_at(rows, row, 2)};
}

static void take_need(Reader *reader, const PGresult *rows, int row)
{
    CloneNeed *need = GROW(reader, reader->plan->needs);
    if (need != NULL)
        *need = (CloneNeed){key_at(rows, row, 0), key_at(rows, row, 2)};
}

static void take_table(Reader *reader, const PGresult *rows, int row)
{
    CloneTable *table = GROW(reader, reader->plan->tables);
    if (table == NULL)
        return;
    table->oid = oid_at(rows, row, 0);
    table->partitioned = PQgetvalue(rows, row, 1)[0] == 'p';
    table->name = text_at(reader, rows, row, 2);
    table->root = oid_at(rows, row, 3);
    table->lineage = text_at(reader, rows, row, 4);
}

static CloneTable *find_table(const ClonePlan *plan, uint32_t oid)
{
    for (size_t i = 0; i < plan->tables.count; i++)
        if (plan->tables.items[i].oid == oid)
            return &plan->tables.items[i];
    return NULL;
}

/* Columns come by table, each table's in order. */
static void take_column(Reader *reader, const PGresult *rows, int row)
{
    uint32_t oid = oid_at(rows, row, 0);
    if (reader->table == NULL || reader->table->oid != oid)
        reader->table = find_table(reader->plan, oid);
    CloneTable *table = reader->table;
    CloneColumn *grown =
        table != NULL ? realloc(table->columns, (table->column_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        reader->failed = reader->failed || table != NULL;
        return;
    }
    table->columns = grown;
    CloneColumn *column = &grown[table->column_count++];
    *column = (CloneColumn){.generated = PQgetvalue(rows, row, 2)[0] == 't'};
    column->name = text_at(reader, rows, row, 1);
    column->own_type = PQgetisnull(rows, row, 3) ? NULL : text_at(reader, rows, row, 3);
}

static void take_sequence(Reader *reader, const PGresult *rows, int row)
{
    CloneSequence *sequence = GROW(reader, reader->plan->sequences);
    if (sequence != NULL)
        *sequence =
            (CloneSequence){oid_at(rows, row, 0), oid_at(rows, row, 1), text_at(reader, rows, row, 2)};
}

static void take_warned(Reader *reader, const PGresult *rows, int row)
{
    if (!text_list_add(&reader->plan->warnings, PQgetvalue(rows, row, 0)))
        reader->failed = true;
}

static void take_refused(Reader *reader, const PGresult *rows, int row)
{
    if (!text_list_add(&reader->plan->refused, PQgetvalue(rows, row, 0)))
        reader->failed = true;
}

static const struct {
    const char *name; /* of the first column */
    void (*take)(Reader *reader, const PGresult *rows, int row);
} KINDS[] = {
    {"node", take_node},         {"late", take_late},     {"part", take_part},
    {"needs", take_need},        {"table", take_table},   {"column", take_column},
    {"sequence", take_sequence}, {"warned", take_warned}, {"refused", take_refused},
};

static void take_rows(void *context, const PGresult *rows)
{
    const char *name = PQnfields(rows) > 0 ? PQfname(rows, 0) : NULL;
    for (size_t i = 0; name != NULL && i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (strcmp(KINDS[i].name, name) == 0)
            for (int row = 0; row < PQntuples(rows); row++)
                KINDS[i].take(context, rows, row);
}

/* Each query finds the search_path that it was written for, whatever the one before it has set. */
static void append_queries(Buffer *sql, const char *const *queries, const char *source, const char *target)
{
    for (; *queries != NULL; queries++) {
        buffer_append_text(sql,
                           "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);\n");
        const char *text = *queries, *open;
        for (; (open = strstr(text, "${")) != NULL; text = strchr(open, '}') + 1) {
            buffer_append(sql, text, (size_t)(open - text));
            sql_append_literal(sql, open[2] == 's' ? source : target);
        }
        buffer_append_text(sql, text);
        buffer_append_text(sql, ";\n");
    }
}

static bool read_queries(ClonePlan *plan, Connection *connection, const Buffer *sql, Error *error)
{
    Reader reader = {.plan = plan};
    if (buffer_failed(sql))
        return error_memory(error);
    if (!connection_exec_each(connection, buffer_text(sql), take_rows, &reader, error))
        return false;
    return !reader.failed || error_memory(error);
}

static int by_object(const void *a, const void *b)
{
    const ClonePart *x = a, *y = b;
    return x->object < y->object ? -1 : x->object > y->object;
}

static bool refuse_uncopied(const ClonePlan *plan, const char *source, Error *error)
{
    if (plan->refused.count == 0)
        return true;
    BUFFER_CLEANUP Buffer names = {0};
    for (size_t i = 0; i < plan->refused.count; i++)
        buffer_appendf(&names, "%s%s", i > 0 ? "\n" : "", plan->refused.items[i]);
    error_set(error, ERROR_SERVER, "schema \"%s\" holds objects that cannot be cloned", source);
    error_set_detail(error, "%s", buffer_text(&names));
    error_set_hint(error, "move them to a schema that the tenants share");
    return false;
}

bool clone_plan_read(ClonePlan *plan, Connection *connection, const char *source, const char *target,
                     Error *error)
{
    BUFFER_CLEANUP Buffer sql = {0};
    append_queries(&sql, CLONE_DATA_QUERIES, source, target);
    if (!read_queries(plan, connection, &sql, error) || !refuse_uncopied(plan, source, error))
        return false;
    buffer_reset(&sql);
    append_queries(&sql, CLONE_NODE_QUERIES, source, target);
    append_queries(&sql, CLONE_LATE_QUERIES, source, target);
    append_queries(&sql, CLONE_PART_QUERIES, source, target);
    if (!read_queries(plan, connection, &sql, error))
        return false;
    if (plan->parts.count > 0)
        qsort(plan->parts.items, plan->parts.count, sizeof *plan->parts.items, by_object);
    return true;
}

static CloneKey node_of(const ClonePlan *plan, CloneKey object)
{
    ClonePart wanted = {.object = object};
    const ClonePart *found = plan->parts.count > 0 ? bsearch(&wanted, plan->parts.items, plan->parts.count,
                                                             sizeof wanted, by_object)
                                                   : NULL;
    return found != NULL ? found->node : 0;
}

/* Places of nodes by key. */
typedef struct Place {
    CloneKey key;
    size_t place;
} Place;

static int by_key(const void *a, const void *b)
{
    const Place *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static Place *places_new(const ClonePlan *plan)
{
    Place *places = calloc(plan->nodes.count + 1, sizeof *places);
    if (places == NULL)
        return NULL;
    for (size_t i = 0; i < plan->nodes.count; i++)
        places[i] = (Place){plan->nodes.items[i].key, i};
    qsort(places, plan->nodes.count, sizeof *places, by_key);
    return places;
}

static CloneNode *node_by_key(const ClonePlan *plan, const Place *places, CloneKey key)
{
    Place wanted = {.key = key};
    const Place *found = key != 0 && plan->nodes.count > 0
                             ? bsearch(&wanted, places, plan->nodes.count, sizeof wanted, by_key)
                             : NULL;
    return found != NULL ? &plan->nodes.items[found->place] : NULL;
}

/* What the node and what it needs are; false unless both are nodes, and different ones. */
static bool resolve(const ClonePlan *plan, const Place *places, const CloneNeed *need, CloneNode **ret_node,
                    CloneNode **ret_need)
{
    *ret_node = node_by_key(plan, places, need->node);
    *ret_need = node_by_key(plan, places, node_of(plan, need->object));
    return *ret_node != NULL && *ret_need != NULL && *ret_node != *ret_need;
}

/* Once, however many columns and keys of the table it needs. */
static void add_line(Buffer *lines, const char *label, const char *table)
{
    BUFFER_CLEANUP Buffer line = {0};
    buffer_appendf(&line, "%s needs table %s\n", label, table);
    if (strstr(buffer_text(lines), buffer_text(&line)) == NULL)
        buffer_append_text(lines, buffer_text(&line));
}

static bool refuse_needed(ClonePlan *plan, const Place *places, Error *error)
{
    BUFFER_CLEANUP Buffer names = {0};
    for (size_t i = 0; i < plan->needs.count; i++) {
        CloneNode *node, *need;
        if (!resolve(plan, places, &plan->needs.items[i], &node, &need) || node->left_out || !need->left_out)
            continue;
        const CloneTable *table = clone_plan_table(plan, need->relation);
        add_line(&names, node->label, table != NULL ? table->name : need->label);
    }
    if (buffer_failed(&names))
        return error_memory(error);
    if (names.length == 0)
        return true;
    error_set(error, ERROR_SERVER, "a table cannot be left out that others need");
    error_set_detail(error, "%.*s", (int)names.length - 1, buffer_text(&names));
    error_set_hint(error, "leave those tables out, too, or none of them");
    return false;
}

bool clone_plan_leaves_out(const ClonePlan *plan, uint32_t relation)
{
    const CloneTable *table = clone_plan_table(plan, relation);
    for (size_t i = 0; table == NULL && i < plan->sequences.count; i++)
        if (plan->sequences.items[i].oid == relation)
            table = clone_plan_table(plan, plan->sequences.items[i].owner);
    return table != NULL && table->left_out;
}

/* A sequence node has no relation of its own that it belongs to. */
static bool is_left_out(const ClonePlan *plan, const CloneNode *node)
{
    return clone_plan_leaves_out(plan, node->rank == CLONE_SEQUENCE ? (uint32_t)node->key : node->relation);
}

bool clone_plan_order(ClonePlan *plan, Error *error)
{
    Reader reader = {.plan = plan};
    CloneNode *rows = GROW(&reader, plan->nodes);
    if (rows == NULL)
        return error_memory(error);
    rows->rank = CLONE_DATA;
    size_t count = plan->nodes.count, data = count - 1, edge_count = 0;
    Place *places = places_new(plan);
    int *ranks = calloc(count, sizeof *ranks);
    CloneEdge *edges = calloc(plan->needs.count + count, sizeof *edges);
    plan->order = calloc(count, sizeof *plan->order);
    bool good = places != NULL && ranks != NULL && edges != NULL && plan->order != NULL;
    for (size_t i = 0; good && i < count; i++) {
        int64_t rank = plan->nodes.items[i].rank;
        ranks[i] = (int)rank;
        if (rank == CLONE_TABLE)
            edges[edge_count++] = (CloneEdge){data, i};
        else if (rank >= CLONE_FOREIGN_KEY)
            edges[edge_count++] = (CloneEdge){i, data};
    }
    for (size_t i = 0; good && i < plan->needs.count; i++) {
        CloneNode *node, *need;
        if (resolve(plan, places, &plan->needs.items[i], &node, &need))
            edges[edge_count++] =
                (CloneEdge){(size_t)(node - plan->nodes.items), (size_t)(need - plan->nodes.items)};
    }
    good = good ? clone_order(ranks, count, edges, edge_count, plan->order, error) : error_memory(error);
    free(places);
    free(ranks);
    free(edges);
    return good;
}

bool clone_plan_leave_out(ClonePlan *plan, Error *error)
{
    for (size_t i = 0; i < plan->nodes.count; i++)
        plan->nodes.items[i].left_out = is_left_out(plan, &plan->nodes.items[i]);
    Place *places = places_new(plan);
    bool good = places != NULL ? refuse_needed(plan, places, error) : error_memory(error);
    free(places);
    return good;
}

/* A name that reached beyond the target would go with the source one day, and take its part of the clone
 * along. */
bool clone_plan_check_apart(const ClonePlan *plan, Connection *connection, const char *target, Error *error)
{
    ClonePlan made = {0};
    BUFFER_CLEANUP Buffer sql = {0};
    append_queries(&sql, CLONE_PART_QUERIES, target, target);
    bool good = read_queries(&made, connection, &sql, error);
    for (size_t i = 0; good && i < made.needs.count; i++) {
        if (node_of(plan, made.needs.items[i].object) == 0)
            continue;
        char class[16], oid[16];
        snprintf(class, sizeof class, "%u", (unsigned)(made.needs.items[i].node >> 32));
        snprintf(oid, sizeof oid, "%u", (unsigned)made.needs.items[i].node);
        PGresult *rows = NULL;
        good = connection_query(connection, "SELECT pg_catalog.pg_describe_object($1, $2, 0)", 2,
                                (const char *const[]){class, oid}, &rows, error);
        if (good)
            good = error_set(error, ERROR_SERVER, "%s of the clone would still need the source",
                             PQgetvalue(rows, 0, 0));
        PQclear(rows);
    }
    clone_plan_clear(&made);
    return good;
}

const CloneTable *clone_plan_table(const ClonePlan *plan, uint32_t oid)
{
    return find_table(plan, oid);
}

static void clear_tables(ClonePlan *plan)
{
    for (size_t i = 0; i < plan->tables.count; i++) {
        CloneTable *table = &plan->tables.items[i];
        for (size_t k = 0; k < table->column_count; k++) {
            free(table->columns[k].name);
            free(table->columns[k].own_type);
        }
        free(table->columns);
        free(table->name);
        free(table->lineage);
    }
    for (size_t i = 0; i < plan->sequences.count; i++)
        free(plan->sequences.items[i].name);
    free(plan->tables.items);
    free(plan->sequences.items);
}

void clone_plan_clear(ClonePlan *plan)
{
    for (size_t i = 0; i < plan->nodes.count; i++) {
        free(plan->nodes.items[i].label);
        text_list_clear(&plan->nodes.items[i].statements);
    }
    for (size_t i = 0; i < plan->late.count; i++) {
        free(plan->late.items[i].label);
        free(plan->late.items[i].statement);
    }
    clear_tables(plan);
    free(plan->nodes.items);
    free(plan->late.items);
    free(plan->parts.items);
    free(plan->needs.items);
    free(plan->order);
    text_list_clear(&plan->warnings);
    text_list_clear(&plan->refused);
    *plan = (ClonePlan){0};
}
