#include "coordinator/library/call.h"
#include <stdlib.h>

/* Options that are settings under another name. */
static const struct {
    size_t option;
    SettingId setting;
} TEXTS[] = {
    {offsetof(pgconvoy_migrator_options, schema_template), SETTING_TENANTS_SCHEMA},
    {offsetof(pgconvoy_migrator_options, migrations_folder), SETTING_MIGRATIONS_FOLDER},
    {offsetof(pgconvoy_migrator_options, migrations_table), SETTING_MIGRATIONS_TABLE},
    {offsetof(pgconvoy_migrator_options, table_format), SETTING_MIGRATIONS_FORMAT},
    {offsetof(pgconvoy_migrator_options, default_format), SETTING_MIGRATIONS_DEFAULT_FORMAT},
    {offsetof(pgconvoy_migrator_options, shared_folder), SETTING_SHARED_FOLDER},
    {offsetof(pgconvoy_migrator_options, shared_table), SETTING_SHARED_TABLE},
    {offsetof(pgconvoy_migrator_options, shared_table_format), SETTING_SHARED_FORMAT},
    {offsetof(pgconvoy_migrator_options, shared_default_format), SETTING_SHARED_DEFAULT_FORMAT},
};

static bool set_texts(Config *config, const pgconvoy_migrator_options *options, Error *error)
{
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        const char *text = *(const char *const *)((const char *)options + TEXTS[i].option);
        if (text != NULL && !config_set(config, TEXTS[i].setting, text, SOURCE_HOST, error))
            return false;
    }
    return true;
}

static bool set_settings(Config *config, const char *const *settings, Error *error)
{
    for (; settings != NULL && settings[0] != NULL; settings += 2) {
        SettingId id;
        char shown[PRINTABLE_SIZE];
        if (!setting_from_path(settings[0], &id))
            return error_set(error, ERROR_CONFIG, "there is no setting %s",
                             printable_value(settings[0], shown));
        if (settings[1] == NULL)
            return error_set(error, ERROR_CONFIG, "%s: the value is missing", settings[0]);
        if (!config_set(config, id, settings[1], SOURCE_HOST, error))
            return false;
    }
    return true;
}

static bool set_databases(Config *config, const pgconvoy_migrator_options *options, Error *error)
{
    size_t count = options->database_count;
    if (count == 0)
        return true;
    if (options->databases == NULL)
        return error_set(error, ERROR_USAGE, "databases is NULL, but database_count is %zu", count);
    DatabaseChoice *choices = calloc(count, sizeof *choices);
    if (choices == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++)
        choices[i] = (DatabaseChoice){options->databases[i].name, options->databases[i].url,
                                      options->databases[i].max_connections};
    bool ok = config_set_databases(config, choices, count, error);
    free(choices);
    return ok;
}

static pgconvoy_migrator *new_migrator(const pgconvoy_migrator_options *options, Error *error)
{
    pgconvoy_migrator *migrator = calloc(1, sizeof *migrator);
    if (migrator == NULL) {
        error_memory(error);
        return NULL;
    }
    *migrator = (pgconvoy_migrator){
        .config = config_load_embedded(options->config_file, error),
        .schema_name = options->schema_name,
        .discover = options->discover,
        .context = options->context,
        .hooks = options->hooks,
        .shared_hooks = options->shared_hooks,
    };
    /* What is said by name wins over what is said by path. */
    if (migrator->config != NULL && set_settings(migrator->config, options->settings, error) &&
        set_texts(migrator->config, options, error) && set_databases(migrator->config, options, error) &&
        config_check(migrator->config, error))
        return migrator;
    pgconvoy_migrator_free(migrator);
    return NULL;
}

pgconvoy_migrator *pgconvoy_migrator_new(const pgconvoy_migrator_options *options, pgconvoy_error *error)
{
    static const pgconvoy_migrator_options DEFAULTS = {0};
    ERROR_CLEANUP Error unwanted = {0};
    Error *reason = error != NULL ? error : &unwanted;
    error_clear(reason);
    return new_migrator(options != NULL ? options : &DEFAULTS, reason);
}

void pgconvoy_migrator_free(pgconvoy_migrator *migrator)
{
    if (migrator == NULL)
        return;
    config_free(migrator->config);
    free(migrator);
}
