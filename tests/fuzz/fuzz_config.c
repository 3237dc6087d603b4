/* Any bytes are a configuration or an error that says why not. */
#include "common/config.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What holds for every file that was accepted. */
static void check(const Config *config)
{
    size_t count;
    const DatabaseConfig *databases = config_databases(config, &count);
    for (size_t i = 0; i < count; i++) {
        if (databases[i].name[0] == '\0' || databases[i].max_connections < 1)
            abort();
    }
    for (int id = 0; id < SETTING_COUNT; id++) {
        Error error = {0};
        if (!setting_check((SettingId)id, config_text(config, (SettingId)id), &error))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsetenv("DATABASE_URL");
    setenv("NAME", "value", 1);
    Error error = {0};
    Config *config = config_load_text("fuzz.yaml", (const char *)data, size, &error);
    if (config != NULL)
        check(config);
    else if (error.message == NULL || error.code == ERROR_NONE)
        abort();
    config_free(config);
    error_clear(&error);
    return 0;
}
