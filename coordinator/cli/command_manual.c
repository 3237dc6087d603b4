#include "common/manual.h"
#include "coordinator/cli/command.h"
#include <stdio.h>
#include <stdlib.h>

char *command_manual(const Command *command)
{
    char *program = NULL;
    if (asprintf(&program, "pgconvoy %s", command->name) < 0)
        return NULL;
    OptionGroup groups[COMMAND_GROUPS_MAX + 1];
    size_t group_count = command_groups(command, groups);
    HelpPage page = {
        .program = program,
        .summary = command->summary,
        .usage = command->usage,
        .example = command->example,
        .exits = command->exits,
    };
    char *manual = manual_program(&page, groups, group_count);
    free(program);
    return manual;
}

/* "pgconvoy-tenant-create(1)": where a command's own page is found. */
static void append_page_name(Buffer *text, const char *command)
{
    buffer_append_text(text, "pgconvoy-");
    for (; *command != '\0'; command++)
        buffer_append_char(text, *command == ':' ? '-' : *command);
    buffer_append_text(text, "(1)");
}

char *command_manual_overview(const CommandTable *table)
{
    Buffer page = {0};
    manual_title(&page, "pgconvoy", 1, "migrates fleets of schema-per-tenant PostgreSQL");
    manual_heading(&page, "synopsis");
    buffer_append_text(&page, ".B pgconvoy\n");
    manual_text(&page, "COMMAND [options]");
    manual_heading(&page, "commands");
    manual_text(&page, "Each has a page of its own.");
    for (size_t i = 0; i < table->count; i++) {
        BUFFER_CLEANUP Buffer doc = {0};
        buffer_appendf(&doc, "%s See ", table->commands[i].summary);
        append_page_name(&doc, table->commands[i].name);
        manual_item(&page, table->commands[i].name, buffer_text(&doc));
    }
    manual_heading(&page, "general options");
    for (size_t i = 0; i < GENERAL_OPTIONS.count; i++) {
        BUFFER_CLEANUP Buffer term = {0};
        const Option *row = &GENERAL_OPTIONS.options[i];
        buffer_appendf(&term, "--%s%s%s", row->name, row->argument != NULL ? " " : "",
                       row->argument != NULL ? row->argument : "");
        manual_item(&page, buffer_text(&term), row->doc != NULL ? row->doc : "");
    }
    manual_heading(&page, "see also");
    manual_text(&page, "pgconvoy-worker(1), pgconvoy.yaml(5)");
    return buffer_take(&page);
}
