#include "common/manual.h"
#include "common/options_doc.h"
#include <ctype.h>
#include <string.h>

/* Roff reads a backslash, a hyphen, and a dot or quote at the beginning of a line in its own way. */
static void append_escaped(Buffer *page, const char *text)
{
    if (*text == '.' || *text == '\'')
        buffer_append_text(page, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            buffer_append_text(page, "\\e");
        else if (*text == '-')
            buffer_append_text(page, "\\-");
        else
            buffer_append_char(page, *text);
    }
}

void manual_text(Buffer *page, const char *text)
{
    append_escaped(page, text);
    buffer_append_char(page, '\n');
}

void manual_title(Buffer *page, const char *name, int section, const char *summary)
{
    buffer_append_text(page, ".TH \"");
    for (const char *c = name; *c != '\0'; c++)
        buffer_append_char(page, *c == ' ' || *c == ':' ? '-' : (char)toupper((unsigned char)*c));
    buffer_appendf(page, "\" %d \"\" \"pgconvoy %s\" \"pgconvoy\"\n.SH NAME\n", section, PGCONVOY_VERSION);
    for (const char *c = name; *c != '\0'; c++)
        buffer_append_text(page, *c == ' ' || *c == ':' || *c == '-' ? "\\-" : (char[]){*c, '\0'});
    buffer_append_text(page, " \\- ");
    size_t length = strlen(summary);
    length -= length > 0 && summary[length - 1] == '.'; /* whatis lists have none */
    buffer_appendf(page, "%.*s\n", (int)length, summary);
}

void manual_heading(Buffer *page, const char *heading)
{
    buffer_append_text(page, ".SH ");
    for (; *heading != '\0'; heading++)
        buffer_append_char(page, (char)toupper((unsigned char)*heading));
    buffer_append_char(page, '\n');
}

void manual_item(Buffer *page, const char *term, const char *text)
{
    buffer_append_text(page, ".TP\n.B ");
    manual_text(page, term);
    manual_text(page, text);
}

static void append_option(Buffer *page, const Option *row)
{
    BUFFER_CLEANUP Buffer term = {0};
    if (row->letter != '\0')
        buffer_appendf(&term, "-%c, ", row->letter);
    buffer_appendf(&term, "--%s", row->name);
    if (row->argument != NULL)
        buffer_appendf(&term, " %s", row->argument);
    BUFFER_CLEANUP Buffer doc = {0};
    option_describe(row, &doc);
    if (row->setting != NO_SETTING)
        buffer_appendf(&doc, " [%s]", setting_get((SettingId)row->setting)->path);
    manual_item(page, buffer_text(&term), buffer_text(&doc));
}

static void append_exits(Buffer *page, const ExitCode *exits)
{
    manual_heading(page, "exit status");
    for (; exits->code >= 0; exits++) {
        BUFFER_CLEANUP Buffer code = {0};
        buffer_appendf(&code, "%d", exits->code);
        manual_item(page, buffer_text(&code), exit_code_doc(exits));
    }
}

char *manual_program(const HelpPage *help, const OptionGroup *groups, size_t group_count)
{
    Buffer page = {0};
    manual_title(&page, help->program, 1, help->summary);
    manual_heading(&page, "synopsis");
    buffer_append_text(&page, ".B ");
    manual_text(&page, help->program);
    manual_text(&page, help->usage);
    manual_heading(&page, "options");
    manual_text(&page, "A name in brackets is the setting that an option sets, for pgconvoy.yaml and the "
                       "environment; see pgconvoy.yaml(5).");
    for (size_t g = 0; g < group_count; g++) {
        buffer_append_text(&page, ".SS ");
        manual_text(&page, groups[g].title);
        for (size_t i = 0; i < groups[g].count; i++)
            append_option(&page, &groups[g].options[i]);
    }
    append_exits(&page, help->exits);
    manual_heading(&page, "example");
    buffer_append_text(&page, ".EX\n");
    manual_text(&page, help->example);
    buffer_append_text(&page, ".EE\n");
    manual_heading(&page, "see also");
    manual_text(&page, "pgconvoy(1), pgconvoy-worker(1), pgconvoy.yaml(5)");
    return buffer_take(&page);
}

/* "integer from 1 to 10000 tenants, or auto; default 10" */
static void describe_values(const Setting *setting, Buffer *text)
{
    static const char *const TYPES[] = {
        [SETTING_INT] = "integer", [SETTING_DECIMAL] = "decimal number", [SETTING_BOOL] = "true or false",
        [SETTING_TEXT] = "text",   [SETTING_CHOICE] = "one of",          [SETTING_LIST] = "list of texts",
    };
    buffer_append_text(text, TYPES[setting->type]);
    if (setting->type == SETTING_INT || setting->type == SETTING_DECIMAL)
        buffer_appendf(text, " from %lld to %lld", (long long)setting->min, (long long)setting->max);
    for (size_t i = 0; setting->type == SETTING_CHOICE && setting->choices[i] != NULL; i++)
        if (setting->choices[i][0] != '\0')
            buffer_appendf(text, " %s", setting->choices[i]);
    if (setting->unit[0] != '\0')
        buffer_appendf(text, " %s", setting->unit);
    if (setting->zero_word != NULL)
        buffer_appendf(text, ", or %s", setting->zero_word);
    if (setting->type != SETTING_LIST && setting->default_value[0] != '\0')
        buffer_appendf(text, "; default %s", setting->default_value);
}

static void append_setting(Buffer *page, SettingId id)
{
    const Setting *setting = setting_get(id);
    BUFFER_CLEANUP Buffer doc = {0};
    buffer_appendf(&doc, "%s (", setting->doc);
    describe_values(setting, &doc);
    buffer_append_text(&doc, ")");
    manual_item(page, setting->path, buffer_text(&doc));
}

char *manual_config(void)
{
    Buffer page = {0};
    manual_title(&page, "pgconvoy.yaml", 5, "configuration of pgconvoy and pgconvoy-worker");
    manual_heading(&page, "description");
    manual_text(
        &page,
        "YAML, or JSON. A setting section.key can also come from the environment, as PGCONVOY_ and "
        "its path in capitals with underscores: run.concurrency is PGCONVOY_RUN_CONCURRENCY. An option "
        "of the command line wins over the environment, which wins over the file. ${NAME} in a value "
        "is replaced from the environment; $${ is a literal ${. The file is the one that --config or "
        "PGCONVOY_CONFIG names, else pgconvoy.yaml in the working directory.");
    manual_heading(&page, "databases");
    manual_text(&page, "A list. Each entry has a name, on workers also a way to reach it: url, which is "
                       "anything that libpq takes, or service, host, port, dbname, user, password; and "
                       "max_connections, what all workers together may open (20). Without the list, "
                       "DATABASE_URL in the environment is the database \"main\".");
    manual_heading(&page, "settings");
    for (int id = 0; id < SETTING_COUNT; id++)
        append_setting(&page, (SettingId)id);
    manual_heading(&page, "see also");
    manual_text(&page, "pgconvoy(1), pgconvoy-worker(1)");
    return buffer_take(&page);
}
