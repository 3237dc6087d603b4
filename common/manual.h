/* Manual pages in roff, made from the tables that --help and the configuration are made from. All malloc'ed,
 * NULL when memory ran out. */
#pragma once
#include "common/buffer.h"
#include "common/options.h"

/* PROGRAM(1); a space in the program's name becomes a hyphen in the page's. */
char *manual_program(const HelpPage *page, const OptionGroup *groups, size_t group_count);

/* pgconvoy.yaml(5): every setting with its type, range and default. */
char *manual_config(void);

/* Pieces for pages of another kind. */
void manual_title(Buffer *page, const char *name, int section, const char *summary);
void manual_heading(Buffer *page, const char *heading);
void manual_item(Buffer *page, const char *term, const char *text); /* both plain text */
void manual_text(Buffer *page, const char *text); /* plain text, as a paragraph's next line */
