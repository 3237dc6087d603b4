#include "common/options_doc.h"
#include <string.h>

enum { NAMES_WIDTH = 32, PAGE_WIDTH = 100 };

static const ExitCode EXIT_CODES[] = {
    {EXIT_DONE, "done"},
    {EXIT_FAILED, "some tenants failed"},
    {EXIT_USAGE, "the command line or the configuration is wrong; nothing was done"},
    {EXIT_PENDING, "work is pending (with --exit-code)"},
    {EXIT_ABORTED, "stopped by policy: abort, failure limit or deadline"},
    {EXIT_DRIFT, "drift found"},
    {EXIT_UNAVAILABLE, "only busy tenants remain, or there were no workers"},
    {EXIT_MIGRATIONS, "the migration files were refused"},
    {EXIT_INTERRUPTED, "interrupted; the same command goes on where this one stopped"},
};

const char *exit_code_doc(const ExitCode *code)
{
    if (code->doc != NULL)
        return code->doc;
    for (size_t i = 0; i < sizeof(EXIT_CODES) / sizeof(EXIT_CODES[0]); i++) {
        if (EXIT_CODES[i].code == code->code)
            return EXIT_CODES[i].doc;
    }
    return "";
}

/* Appends text from column NAMES_WIDTH on, broken between words. */
static void append_wrapped(Buffer *page, size_t column, const char *text)
{
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > NAMES_WIDTH && column + 1 + word > PAGE_WIDTH) {
            buffer_appendf(page, "\n%*s", NAMES_WIDTH, "");
            column = NAMES_WIDTH;
        } else if (column > NAMES_WIDTH) {
            buffer_append_char(page, ' ');
            column++;
        }
        buffer_append(page, text, word);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    buffer_append_char(page, '\n');
}

/* "(ms, default 4000)", or nothing when there is nothing to tell. */
static void append_default(Buffer *doc, const Setting *setting)
{
    const char *value = setting->default_value;
    bool tells_default = value[0] != '\0' && setting->type != SETTING_LIST &&
                         !(setting->type == SETTING_BOOL && value[0] == 'f');
    bool tells_unit = setting->unit[0] != '\0';
    if (!tells_default && !tells_unit)
        return;
    buffer_appendf(doc, " (%s%s%s%s)", setting->unit, tells_unit && tells_default ? ", " : "",
                   tells_default ? "default " : "", tells_default ? value : "");
}

void option_describe(const Option *row, Buffer *doc)
{
    const Setting *setting = row->setting != NO_SETTING ? setting_get((SettingId)row->setting) : NULL;
    buffer_append_text(doc, row->doc != NULL ? row->doc : setting != NULL ? setting->doc : "");
    if (row->rule == OPTION_REPEATABLE)
        buffer_append_text(doc, "; may be given several times");
    if (setting != NULL)
        append_default(doc, setting);
}

static void append_option(Buffer *page, const Option *row)
{
    BUFFER_CLEANUP Buffer names = {0};
    if (row->letter != '\0')
        buffer_appendf(&names, "  -%c, --%s", row->letter, row->name);
    else
        buffer_appendf(&names, "      --%s", row->name);
    if (row->argument != NULL)
        buffer_appendf(&names, " %s", row->argument);
    BUFFER_CLEANUP Buffer doc = {0};
    option_describe(row, &doc);
    buffer_append_text(page, buffer_text(&names));
    if (names.length + 2 > NAMES_WIDTH)
        buffer_appendf(page, "\n%*s", NAMES_WIDTH, "");
    else
        buffer_appendf(page, "%*s", (int)(NAMES_WIDTH - names.length), "");
    append_wrapped(page, NAMES_WIDTH, buffer_text(&doc));
}

char *options_help(const HelpPage *help, const OptionGroup *groups, size_t group_count)
{
    Buffer page = {0};
    buffer_appendf(&page, "%s\n\nUsage:\n  %s %s\n", help->summary, help->program, help->usage);
    for (size_t g = 0; g < group_count; g++) {
        buffer_appendf(&page, "\n%s:\n", groups[g].title);
        for (size_t i = 0; i < groups[g].count; i++)
            append_option(&page, &groups[g].options[i]);
    }
    buffer_appendf(&page, "\nExample:\n  %s\n\nExit codes:\n", help->example);
    for (const ExitCode *exits = help->exits; exits->code >= 0; exits++)
        buffer_appendf(&page, "  %3d  %s\n", exits->code, exit_code_doc(exits));
    return buffer_take(&page);
}
