/* Text: what a server or libpq said, made fit for an Error: one line, valid UTF-8, without secrets. */
#pragma once

/* Line breaks and runs of blanks become one blank; bytes that are not UTF-8 (an SQL_ASCII database, messages
 * from before the encoding was agreed) become U+FFFD. Malloc'ed; NULL when memory ran out. */
char *text_single_line(const char *text);

/* Like text_single_line() for libpq's message about a failed connection in verbose form: moves the SQLSTATE
 * out of it ("" when it has none; of several hosts' the last) and drops the source location. */
char *text_from_connect_error(const char *message, char ret_sqlstate[6]);

/* Replaces every occurrence of a secret by "<redacted>". Consumes text; NULL when memory ran out. */
char *text_redact(char *text, const char *secret);
