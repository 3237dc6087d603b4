/* SQL pieces: names and values as SQL text, appended to a Buffer that remembers failure. */
#pragma once
#include "common/buffer.h"

/* "name", inner quotes doubled. */
void sql_append_identifier(Buffer *sql, const char *name);

/* 'text', right whatever standard_conforming_strings is (a text with a backslash becomes E'...'). */
void sql_append_literal(Buffer *sql, const char *text);

/* "schema"."name". */
void sql_append_qualified(Buffer *sql, const char *schema, const char *name);

/* "schema", public; for public itself nothing else. */
void sql_append_search_path(Buffer *sql, const char *schema);
