/* COPY's text format: a row as the server sends it to the client, cut into its fields.
 *
 * Fields are separated by tabs. Within them a backslash and a letter stand for what the format needs itself,
 * as \t and \n, and \N alone is NULL. Only what COPY .. TO STDOUT gives with its defaults is read.
 */
#pragma once
#include <stddef.h>

/* Cuts a row, with or without its newline, in place; the fields point into it. Returns how many there are, of
 * which the first `most` are in ret_fields. row[length] must be the caller's to write. */
size_t copy_text_cut(char *row, size_t length, char **ret_fields, size_t most);
