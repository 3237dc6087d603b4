/* The inside of Config, for the files that fill it: config.c (values, precedence), config_file.c (the file)
 * and config_database.c (its databases). Nobody else includes this. */
#pragma once
#include "common/config.h"
#include "common/setting_value.h"
#include "common/yaml_place.h"

enum { DATABASE_CONNECTIONS = 20 }; /* databases[].max_connections */

struct Config {
    char *texts[SETTING_COUNT]; /* as written; NULL = the default */
    SettingValue values[SETTING_COUNT];
    TextList lists[SETTING_COUNT]; /* SETTING_LIST only */
    SettingSource sources[SETTING_COUNT];
    DatabaseConfig *databases;
    size_t database_count;
    char *path;
};

/* One entry of `databases` as the file gives it, before expansion; members are NULL where absent. */
typedef struct DatabaseEntry {
    char *name;
    char *url;
    char *service;
    char *host;
    char *port;
    char *dbname;
    char *user;
    char *password;
    char *max_connections;
} DatabaseEntry;

/* Applies a text with the layout of pgconvoy.yaml; `name` stands for the file in messages. */
bool config_read_yaml(Config *config, const char *name, const char *text, size_t length,
                      Error *error) MUST_CHECK;

/* Stores one value unless a higher source gave one. Errors do not name the setting. */
bool config_store(Config *config, SettingId id, const char *text, SettingSource source,
                  Error *error) MUST_CHECK;
bool config_store_list(Config *config, SettingId id, const TextList *parts, SettingSource source,
                       Error *error) MUST_CHECK;

/* Allows one way to find tenants in this layer and drops those of lower layers; on error *ret_extra is the
 * setting that is too much. */
bool config_settle_tenants(Config *config, SettingSource layer, SettingId *ret_extra,
                           Error *error) MUST_CHECK;

/* Appends one database; index and place serve messages. */
bool config_add_database(Config *config, const DatabaseEntry *entry, size_t index, const YamlPlaces *places,
                         const YamlPlace *place, Error *error) MUST_CHECK;

/* Appends a database with this connection string, or none when url is NULL. */
bool config_append_database(Config *config, const char *name, const char *url, int64_t max_connections,
                            Error *error) MUST_CHECK;

/* After a refused value: when it came out of a variable, it may be a secret that belongs elsewhere, so that
 * the message names `raw`, as the file has it, instead. */
void hide_expansion(const char *raw, const char *expanded, Error *error);

/* Replaces ${NAME} from the environment; malloc'ed. Errors name the variable, never the text. */
char *expand_variables(const char *text, Error *error) MUST_CHECK;
