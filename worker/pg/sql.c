#include "worker/pg/sql.h"
#include <string.h>

/* Appends text between two quotes; `doubled` characters are written twice. */
static void append_doubling(Buffer *sql, const char *text, char quote, const char *doubled)
{
    buffer_append_char(sql, quote);
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(doubled, *c) != NULL)
            buffer_append_char(sql, *c);
        buffer_append_char(sql, *c);
    }
    buffer_append_char(sql, quote);
}

void sql_append_identifier(Buffer *sql, const char *name)
{
    append_doubling(sql, name, '"', "\"");
}

void sql_append_literal(Buffer *sql, const char *text)
{
    bool escaped = strchr(text, '\\') != NULL;
    if (escaped)
        buffer_append_text(sql, " E");
    append_doubling(sql, text, '\'', escaped ? "'\\" : "'");
}

void sql_append_qualified(Buffer *sql, const char *schema, const char *name)
{
    sql_append_identifier(sql, schema);
    buffer_append_char(sql, '.');
    sql_append_identifier(sql, name);
}

void sql_append_search_path(Buffer *sql, const char *schema)
{
    sql_append_identifier(sql, schema);
    if (strcmp(schema, "public") != 0)
        buffer_append_text(sql, ", public");
}
