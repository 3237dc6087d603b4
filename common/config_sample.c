#include "common/buffer.h"
#include "common/config.h"
#include <string.h>

enum { PAGE_WIDTH = 100 };

static const char HEAD[] =
    "# pgconvoy.yaml: the configuration of pgconvoy and pgconvoy-worker.\n"
    "#\n"
    "# Every line that is commented out shows a setting with its default. A setting can also come from the\n"
    "# environment, as PGCONVOY_ and its path: run.concurrency is PGCONVOY_RUN_CONCURRENCY (lists with "
    "commas).\n"
    "# An option of the command line wins over the environment, which wins over this file. Numbers are "
    "decimal.\n"
    "# ${NAME} is replaced from the environment; write $${ for a literal ${. Give the path of this file "
    "with\n"
    "# --config or PGCONVOY_CONFIG; otherwise ./pgconvoy.yaml is read.\n"
    "\n"
    "# The databases that hold tenants. A worker needs to know how to reach them: by url, which is anything\n"
    "# that libpq takes, or by service, host, port, dbname, user, password. A coordinator needs the names "
    "only.\n"
    "# Without this list, DATABASE_URL in the environment is the database \"main\". max_connections is what "
    "all\n"
    "# workers together may open.\n"
    "databases:\n"
    "#  - name: main\n"
    "#    url: ${DATABASE_URL}\n"
    "#    max_connections: 20\n";

/* "# " and the text, broken between words. */
static void append_comment(Buffer *sample, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column == 0 || column + 1 + word > PAGE_WIDTH) {
            buffer_append_text(sample, column == 0 ? "  # " : "\n  # ");
            column = strlen("  # ");
        } else {
            buffer_append_char(sample, ' ');
            column++;
        }
        buffer_append(sample, text, word);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    buffer_append_char(sample, '\n');
}

static void append_setting(Buffer *sample, const Setting *setting)
{
    BUFFER_CLEANUP Buffer doc = {0};
    buffer_append_text(&doc, setting->doc);
    if (setting->unit[0] != '\0')
        buffer_appendf(&doc, " (%s)", setting->unit);
    append_comment(sample, buffer_text(&doc));
    const char *value = setting->type == SETTING_LIST ? "[]" : setting->default_value;
    /* Quotes where YAML would not read the plain text as this text. */
    const char *quote = value[0] == '\0' ? "''" : "";
    buffer_appendf(sample, "  #%s: %s%s\n", strchr(setting->path, '.') + 1, value, quote);
}

char *config_sample(void)
{
    Buffer sample = {0};
    buffer_append_text(&sample, HEAD);
    const char *section = "";
    for (int id = 0; id < SETTING_COUNT; id++) {
        const Setting *setting = setting_get((SettingId)id);
        size_t length = strcspn(setting->path, ".");
        if (strncmp(section, setting->path, length + 1) != 0) {
            buffer_appendf(&sample, "\n%.*s:\n", (int)length, setting->path);
            section = setting->path;
        }
        append_setting(&sample, setting);
    }
    return buffer_take(&sample);
}
