/* Config: every setting once, with flag > environment > file > default.
 *
 * One table (settings.c) holds name, type, unit, range, default and doc of each setting; the same parser
 * reads its flag, its environment variable (PGCONVOY_ + upper-case path with _) and its place in
 * pgconvoy.yaml, decimal only. The file is read by libcyaml; unknown keys, wrong types and out-of-range
 * values are ERROR_CONFIG with file, line and the nearest known name. ${NAME} inside a text value of the file
 * is replaced from the environment; an unset one is an error. Immutable after loading; not thread-safe
 * before.
 */
#pragma once
#include "common/error.h"
#include "common/record.h"
#include "common/secret.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum SettingId {
    SETTING_TENANTS_SCHEMA,
    SETTING_TENANTS_QUERY,
    SETTING_TENANTS_SCHEMAS, /* bool: discover by schema pattern */
    SETTING_TENANTS_FILE,
    SETTING_MIGRATIONS_FOLDER,
    SETTING_MIGRATIONS_TABLE,
    SETTING_MIGRATIONS_FORMAT,
    SETTING_MIGRATIONS_DEFAULT_FORMAT,
    SETTING_RUN_CONCURRENCY, /* 0 = "auto" */
    SETTING_RUN_SCHEDULE,    /* "batch" or "rolling" */
    SETTING_RUN_ON_ERROR, /* "continue" or "abort"; default "" = continue with the 20-equal-failures stop */
    SETTING_RUN_MAX_FAILURES, /* text: "N" or "P%", "" = none */
    SETTING_RUN_DEADLINE_MS,
    SETTING_RUN_LOCK_TIMEOUT_MS,
    SETTING_RUN_LOCK_ATTEMPTS,
    SETTING_RUN_LOCK_WAIT_MS,
    SETTING_RUN_STATEMENT_TIMEOUT_MS,
    SETTING_RUN_SET_LOCK_TIMEOUT_MS,
    SETTING_RUN_STRICT,
    SETTING_POOLS_MAX_POOLS,
    SETTING_POOLS_TTL_MS,
    SETTING_POOLS_CLEANUP_INTERVAL_MS,
    SETTING_POOLS_MAX_CONNECTIONS,
    SETTING_POOLS_IDLE_TIMEOUT_MS,
    SETTING_POOLS_CONNECT_TIMEOUT_MS,
    SETTING_POOLS_RETIRE_TENANTS, /* a physical connection retires after this many tenants (default 300) */
    SETTING_POOLS_RETIRE_AGE_MS,  /* ... or this age (default 30 min) */
    SETTING_RETRY_MAX_ATTEMPTS,
    SETTING_RETRY_INITIAL_DELAY_MS,
    SETTING_RETRY_MAX_DELAY_MS,
    SETTING_RETRY_MULTIPLIER,
    SETTING_RETRY_JITTER,
    SETTING_COORDINATOR_LISTEN,
    SETTING_COORDINATOR_MIN_WORKERS,
    SETTING_COORDINATOR_WAIT_MS,
    SETTING_COORDINATOR_PLAIN,
    SETTING_WORKER_LISTEN,
    SETTING_WORKER_SLOTS,
    SETTING_WORKER_PLAIN,
    SETTING_WIRE_HEARTBEAT_MS,     /* 2000 */
    SETTING_WIRE_SUSPECT_MS,       /* 6000 */
    SETTING_WIRE_DEAD_MS,          /* 15000 */
    SETTING_WIRE_RESEND_MS,        /* 2000, doubled up to ... */
    SETTING_WIRE_RESEND_MAX_MS,    /* 30000 */
    SETTING_WIRE_RECONNECT_MS,     /* 500 */
    SETTING_WIRE_RECONNECT_MAX_MS, /* 10000 */
    SETTING_WIRE_DRAIN_MS,         /* 30000 */
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT, /* "text" or "json" */
    SETTING_COUNT,
} SettingId;

typedef enum SettingType { SETTING_INT, SETTING_BOOL, SETTING_TEXT, SETTING_CHOICE } SettingType;
typedef enum SettingSource { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG } SettingSource;

typedef struct Setting {
    const char *path; /* "run.lock_timeout_ms": section.key of the file */
    SettingType type;
    int64_t min, max;           /* SETTING_INT */
    const char *const *choices; /* SETTING_CHOICE, NULL-terminated */
    const char *zero_word;      /* SETTING_INT: a word that means 0, such as "auto", or NULL */
    const char *default_value;
    const char *unit; /* "ms", "tenants", ... or "" */
    const char *doc;
} Setting;

typedef struct DatabaseConfig {
    char *name;
    ConnectionString *url; /* NULL on a coordinator that only knows the name */
    int64_t max_connections;
} DatabaseConfig;

typedef struct Config Config;

const Setting *setting_get(SettingId id);
bool setting_from_path(const char *path, SettingId *ret_id);

/* Loads defaults, the file (path, else PGCONVOY_CONFIG, else ./pgconvoy.yaml if there) and the environment.
 * A DATABASE_URL in the environment and no `databases` gives one database "main". */
Config *config_load(const char *path, Error *error) MUST_CHECK;
void config_free(Config *config);

/* Sets one value from text, with the setting's checks; used for flags. */
bool config_set(Config *config, SettingId id, const char *text, SettingSource source,
                Error *error) MUST_CHECK;

int64_t config_int(const Config *config, SettingId id);
bool config_bool(const Config *config, SettingId id);
const char *config_text(const Config *config, SettingId id); /* never NULL */
double config_number(const Config *config, SettingId id); /* retry.multiplier: a decimal such as 1.5 or 2 */
SettingSource config_source(const Config *config, SettingId id);

/* Lists that are not settings of one value. */
const DatabaseConfig *config_databases(const Config *config, size_t *ret_count);
const TextList *config_tenant_ids(const Config *config);       /* tenants.ids */
const TextList *config_tenant_command(const Config *config);   /* tenants.command */
const TextList *config_worker_endpoints(const Config *config); /* coordinator.workers */
const TextList *config_coordinators(const Config *config);     /* worker.coordinators */

/* The file that was read, or NULL. */
const char *config_path(const Config *config);

/* The known name nearest to `name` within a small edit distance, or NULL: for "did you mean". */
const char *nearest_name(const char *name, const char *const *known, size_t count);
