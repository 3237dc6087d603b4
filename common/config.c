#include "common/config.h"
#include "common/buffer.h"
#include "common/config_internal.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 64 << 20 };

/* What a Config of which nothing was set yet answers. */
static void reset_value(Config *config, SettingId id)
{
    ERROR_CLEANUP Error impossible = {0};
    free(config->texts[id]);
    config->texts[id] = NULL;
    text_list_clear(&config->lists[id]);
    config->sources[id] = SOURCE_DEFAULT;
    const Setting *setting = setting_get(id);
    if (!setting_parse(setting, setting->default_value, &config->values[id], &impossible))
        abort(); /* the table contradicts itself; settings_test holds that it does not */
}

static Config *config_new(Error *error)
{
    Config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        error_memory(error);
        return NULL;
    }
    for (int id = 0; id < SETTING_COUNT; id++)
        reset_value(config, (SettingId)id);
    return config;
}

void config_free(Config *config)
{
    if (config == NULL)
        return;
    for (size_t id = 0; id < SETTING_COUNT; id++) {
        free(config->texts[id]);
        text_list_clear(&config->lists[id]);
    }
    for (size_t i = 0; i < config->database_count; i++) {
        free(config->databases[i].name);
        connection_string_free(config->databases[i].url);
    }
    free(config->databases);
    free(config->path);
    free(config);
}

/* Moves the list in; *list is empty afterwards when it was taken. */
static bool take_list(Config *config, SettingId id, TextList *list, SettingSource source)
{
    if (source >= config->sources[id]) {
        text_list_clear(&config->lists[id]);
        config->lists[id] = *list;
        config->sources[id] = source;
        *list = (TextList){0};
    }
    return true;
}

bool config_store_list(Config *config, SettingId id, const TextList *parts, SettingSource source,
                       Error *error)
{
    TextList copy = {0};
    for (size_t i = 0; i < parts->count; i++) {
        const char *part = parts->items[i];
        bool added = part[0] == '\0' ? error_set(error, ERROR_CONFIG, "has an empty part")
                                     : text_list_add(&copy, part) || error_memory(error);
        if (!added) {
            text_list_clear(&copy);
            return false;
        }
    }
    take_list(config, id, &copy, source);
    text_list_clear(&copy);
    return true;
}

bool config_store(Config *config, SettingId id, const char *text, SettingSource source, Error *error)
{
    const Setting *setting = setting_get(id);
    if (setting->type == SETTING_LIST) {
        TextList parts = {0};
        bool good = text[0] == '\0' || text_list_add_parts(&parts, text, error);
        good = good && take_list(config, id, &parts, source);
        text_list_clear(&parts);
        return good;
    }
    SettingValue value;
    if (!setting_parse(setting, text, &value, error))
        return false;
    if (source < config->sources[id])
        return true;
    char *copy = strdup(text);
    if (copy == NULL)
        return error_memory(error);
    free(config->texts[id]);
    config->texts[id] = copy;
    config->values[id] = value;
    config->sources[id] = source;
    return true;
}

/* An option is named by whoever parsed it; a variable or key is named here. */
static bool name_setting(SettingId id, SettingSource source, Error *error)
{
    if (source == SOURCE_FLAG) {
        error->code = error->code == ERROR_CONFIG ? ERROR_USAGE : error->code;
        return false;
    }
    char *variable = source == SOURCE_ENVIRONMENT ? setting_environment_name(id) : NULL;
    error_prefix(error, "%s", variable != NULL ? variable : setting_get(id)->path);
    free(variable);
    return false;
}

bool config_set(Config *config, SettingId id, const char *text, SettingSource source, Error *error)
{
    return config_store(config, id, text, source, error) || name_setting(id, source, error);
}

bool config_set_list(Config *config, SettingId id, const TextList *parts, SettingSource source, Error *error)
{
    return config_store_list(config, id, parts, source, error) || name_setting(id, source, error);
}

static bool is_active(const Config *config, SettingId id)
{
    switch (setting_get(id)->type) {
    case SETTING_LIST:
        return config->lists[id].count > 0;
    case SETTING_BOOL:
        return config->values[id].boolean;
    default:
        return config_text(config, id)[0] != '\0';
    }
}

bool config_settle_tenants(Config *config, SettingSource layer, SettingId *ret_extra, Error *error)
{
    static const SettingId WAYS[] = {SETTING_TENANTS_QUERY, SETTING_TENANTS_IDS, SETTING_TENANTS_SCHEMAS,
                                     SETTING_TENANTS_FILE, SETTING_TENANTS_COMMAND};
    enum { WAY_COUNT = sizeof(WAYS) / sizeof(WAYS[0]) };
    const SettingId *chosen = NULL;
    for (size_t i = 0; i < WAY_COUNT; i++) {
        if (config->sources[WAYS[i]] != layer || !is_active(config, WAYS[i]))
            continue;
        if (chosen != NULL) {
            *ret_extra = WAYS[i];
            return error_set(error, ERROR_CONFIG, "%s and %s exclude each other", setting_get(*chosen)->path,
                             setting_get(WAYS[i])->path);
        }
        chosen = &WAYS[i];
    }
    for (size_t i = 0; chosen != NULL && i < WAY_COUNT; i++) {
        if (config->sources[WAYS[i]] < layer)
            reset_value(config, WAYS[i]);
    }
    return true;
}

static bool apply_environment(Config *config, Error *error)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        char *name = setting_environment_name((SettingId)id);
        if (name == NULL)
            return error_memory(error);
        const char *text = getenv(name);
        free(name);
        if (text != NULL && text[0] != '\0' &&
            !config_set(config, (SettingId)id, text, SOURCE_ENVIRONMENT, error))
            return false;
    }
    SettingId extra;
    if (!config_settle_tenants(config, SOURCE_ENVIRONMENT, &extra, error)) {
        error_prefix(error, "environment");
        return false;
    }
    const char *url = getenv("DATABASE_URL");
    if (config->database_count > 0 || url == NULL || url[0] == '\0')
        return true;
    return config_append_database(config, "main", url, DATABASE_CONNECTIONS, error);
}

/* Times that only make sense in order: what is compared, and whether they may be equal. */
static bool check_relations(const Config *config, Error *error)
{
    static const struct {
        SettingId smaller, larger;
        bool may_be_equal;
    } RELATIONS[] = {
        {SETTING_WIRE_HEARTBEAT_MS, SETTING_WIRE_SUSPECT_MS, false},
        {SETTING_WIRE_SUSPECT_MS, SETTING_WIRE_DEAD_MS, false},
        {SETTING_WIRE_RESEND_MS, SETTING_WIRE_RESEND_MAX_MS, true},
        {SETTING_WIRE_RECONNECT_MS, SETTING_WIRE_RECONNECT_MAX_MS, true},
        {SETTING_RETRY_INITIAL_DELAY_MS, SETTING_RETRY_MAX_DELAY_MS, true},
    };
    for (size_t i = 0; i < sizeof(RELATIONS) / sizeof(RELATIONS[0]); i++) {
        int64_t smaller = config_int(config, RELATIONS[i].smaller);
        int64_t larger = config_int(config, RELATIONS[i].larger);
        if (smaller < larger || (smaller == larger && RELATIONS[i].may_be_equal))
            continue;
        return error_set(error, ERROR_CONFIG, "%s (%lld) must %s %s (%lld)",
                         setting_get(RELATIONS[i].smaller)->path, (long long)smaller,
                         RELATIONS[i].may_be_equal ? "not be more than" : "be less than",
                         setting_get(RELATIONS[i].larger)->path, (long long)larger);
    }
    return true;
}

static Config *load(const char *name, const char *text, size_t length, bool environment, Error *error)
{
    Config *config = config_new(error);
    if (config == NULL)
        return NULL;
    if (name != NULL) {
        config->path = strdup(name);
        if (config->path == NULL) {
            error_memory(error);
            goto failed;
        }
        if (!config_read_yaml(config, name, text, length, error))
            goto failed;
    }
    if ((!environment || apply_environment(config, error)) && check_relations(config, error))
        return config;
failed:
    config_free(config);
    return NULL;
}

Config *config_load_text(const char *name, const char *text, size_t length, Error *error)
{
    return load(name, text, length, true, error);
}

/* Whole file; false with errno set when it cannot be read. */
static bool read_file(const char *path, Buffer *ret_text)
{
    FILE_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && file_read_all(fd, FILE_SIZE_MAX, ret_text);
}

static Config *refuse_file(const char *name, Error *error)
{
    error_set(error, ERROR_CONFIG, "configuration file \"%s\" cannot be read: %s", name, strerror(errno));
    return NULL;
}

Config *config_load(const char *path, Error *error)
{
    static const char *const FOUND_BY_ITSELF = "pgconvoy.yaml";
    const char *name = path;
    if (name == NULL) {
        const char *variable = getenv("PGCONVOY_CONFIG");
        name = variable != NULL && variable[0] != '\0' ? variable : FOUND_BY_ITSELF;
    }
    BUFFER_CLEANUP Buffer text = {0};
    if (read_file(name, &text))
        return load(name, buffer_text(&text), text.length, true, error);
    if (errno == ENOENT && name == FOUND_BY_ITSELF)
        return load(NULL, NULL, 0, true, error);
    return refuse_file(name, error);
}

Config *config_load_embedded(const char *path, Error *error)
{
    BUFFER_CLEANUP Buffer text = {0};
    if (path == NULL)
        return load(NULL, NULL, 0, false, error);
    if (!read_file(path, &text))
        return refuse_file(path, error);
    return load(path, buffer_text(&text), text.length, false, error);
}

bool config_check(Config *config, Error *error)
{
    SettingId extra;
    return config_settle_tenants(config, SOURCE_HOST, &extra, error) && check_relations(config, error);
}

int64_t config_int(const Config *config, SettingId id)
{
    return config->values[id].integer;
}

bool config_bool(const Config *config, SettingId id)
{
    return config->values[id].boolean;
}

double config_number(const Config *config, SettingId id)
{
    return config->values[id].decimal;
}

const char *config_text(const Config *config, SettingId id)
{
    return config->texts[id] != NULL ? config->texts[id] : setting_get(id)->default_value;
}

const TextList *config_list(const Config *config, SettingId id)
{
    return &config->lists[id];
}

SettingSource config_source(const Config *config, SettingId id)
{
    return config->sources[id];
}

const DatabaseConfig *config_databases(const Config *config, size_t *ret_count)
{
    *ret_count = config->database_count;
    return config->databases;
}

const TextList *config_tenant_ids(const Config *config)
{
    return config_list(config, SETTING_TENANTS_IDS);
}

const TextList *config_tenant_command(const Config *config)
{
    return config_list(config, SETTING_TENANTS_COMMAND);
}

const TextList *config_worker_endpoints(const Config *config)
{
    return config_list(config, SETTING_COORDINATOR_WORKERS);
}

const TextList *config_coordinators(const Config *config)
{
    return config_list(config, SETTING_WORKER_COORDINATORS);
}

const char *config_path(const Config *config)
{
    return config->path;
}
