#include "coordinator/report_table.h"
#include "common/buffer.h"
#include "coordinator/report_groups.h"
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_TENANTS = 20 };

static void free_cells(char **cells)
{
    for (size_t i = 0; i < REPORT_CELLS_MAX; i++)
        free(cells[i]);
}

/* Tenants with equal cells look the same. */
static char *cells_key(const void *report, size_t index)
{
    const ReportTable *table = report;
    char *cells[REPORT_CELLS_MAX] = {0};
    Buffer key = {0};
    table->fill(table->report, index, cells);
    for (size_t i = 0; i < table->column_count; i++)
        buffer_appendf(&key, "%s\t", cells[i] != NULL ? cells[i] : "");
    free_cells(cells);
    return buffer_take(&key);
}

static void add_line(struct libscols_table *lines, const ReportTable *table, size_t index, const char *title)
{
    char *cells[REPORT_CELLS_MAX] = {0};
    struct libscols_line *line = scols_table_new_line(lines, NULL);
    if (line == NULL)
        return;
    table->fill(table->report, index, cells);
    scols_line_set_data(line, 0, title);
    for (size_t i = 0; i < table->column_count; i++)
        scols_line_set_data(line, i + 1, cells[i] != NULL ? cells[i] : "");
    free_cells(cells);
}

static void add_lines(struct libscols_table *lines, const ReportTable *table)
{
    for (size_t i = 0; i < table->count; i++)
        add_line(lines, table, i, table->id(table->report, i));
}

static void add_groups(struct libscols_table *lines, const ReportTable *table)
{
    ReportGroup *groups = report_groups_new(table, table->count, cells_key);
    for (ReportGroup *group = groups; group != NULL; group = group->hh.next) {
        char count[32];
        snprintf(count, sizeof count, "%zu", group->count);
        add_line(lines, table, group->example, count);
    }
    report_groups_free(groups);
}

bool report_table_print(FILE *file, const ReportTable *table, Error *error)
{
    bool details = table->details || table->count <= FEW_TENANTS;
    struct libscols_table *lines = scols_new_table();
    if (lines == NULL)
        return error_memory(error);
    scols_table_set_stream(lines, file);
    scols_table_new_column(lines, details ? "TENANT" : "TENANTS", 0, details ? 0 : SCOLS_FL_RIGHT);
    for (size_t i = 0; i < table->column_count; i++)
        scols_table_new_column(lines, table->columns[i], 0, 0);
    if (details)
        add_lines(lines, table);
    else
        add_groups(lines, table);
    int failed = scols_table_is_empty(lines) ? 0 : scols_print_table(lines);
    fflush(file); /* before the last words on stderr */
    scols_unref_table(lines);
    return failed == 0 || error_set(error, ERROR_SYSTEM, "cannot write the report");
}

char *report_describe_list(const TextList *names)
{
    Buffer text = {0};
    if (names->count > 0)
        buffer_append_text(&text, names->items[0]);
    if (names->count > 1)
        buffer_appendf(&text, " .. %s (%zu)", names->items[names->count - 1], names->count);
    return buffer_take(&text);
}

char *report_cell(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}
