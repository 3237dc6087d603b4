/* Config: every setting once, with flag > environment > file > default.
 *
 * One table (settings.c) holds name, type, unit, range, default and doc of each setting; the same parser
 * reads its flag, its environment variable (PGCONVOY_ + upper-case path with _, empty = not set) and its
 * place in pgconvoy.yaml, decimal only and without leading zeros. The file is read by libcyaml; unknown keys,
 * wrong types and out-of-range values are ERROR_CONFIG with file, line, column and the nearest known name.
 * ${NAME} inside a value of the file is replaced from the environment; an unset one is an error, and $${ is a
 * literal ${. A null (~ or nothing) leaves a setting unset, but is refused inside a list. Aliases (*name) are
 * refused. No error shows a connection string or a value that looks like one. Immutable after loading; not
 * thread-safe before.
 */
#pragma once
#include "common/error.h"
#include "common/record.h"
#include "common/secret.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Settings of one section stand together, in the order of the sample file. */
typedef enum SettingId {
    SETTING_TENANTS_SCHEMA,
    SETTING_TENANTS_QUERY,
    SETTING_TENANTS_IDS,     /* list */
    SETTING_TENANTS_SCHEMAS, /* bool: discover by schema pattern */
    SETTING_TENANTS_FILE,
    SETTING_TENANTS_COMMAND, /* list: program and its arguments */
    SETTING_MIGRATIONS_FOLDER,
    SETTING_MIGRATIONS_TABLE,
    SETTING_MIGRATIONS_FORMAT,
    SETTING_MIGRATIONS_DEFAULT_FORMAT,
    SETTING_SHARED_FOLDER, /* "" = there are no shared migrations */
    SETTING_SHARED_TABLE,
    SETTING_SHARED_FORMAT,
    SETTING_SHARED_DEFAULT_FORMAT,
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
    SETTING_RETRY_MULTIPLIER, /* decimal */
    SETTING_RETRY_JITTER,
    SETTING_HOOKS_BEFORE_TENANT, /* list: program and its arguments; workers only, like all of the section */
    SETTING_HOOKS_AFTER_TENANT,
    SETTING_HOOKS_BEFORE_MIGRATION,
    SETTING_HOOKS_AFTER_MIGRATION,
    SETTING_HOOKS_TIMEOUT_MS,
    SETTING_COORDINATOR_LISTEN,
    SETTING_COORDINATOR_WORKERS, /* list */
    SETTING_COORDINATOR_MIN_WORKERS,
    SETTING_COORDINATOR_WAIT_MS,
    SETTING_COORDINATOR_PLAIN,
    SETTING_COORDINATOR_KEY_FILE, /* "" = no keys */
    SETTING_COORDINATOR_PEERS,
    SETTING_WORKER_NAME,         /* "" = host/pid */
    SETTING_WORKER_COORDINATORS, /* list */
    SETTING_WORKER_LISTEN,
    SETTING_WORKER_SLOTS,
    SETTING_WORKER_PLAIN,
    SETTING_WORKER_KEY_FILE,
    SETTING_WORKER_PEERS,
    SETTING_WIRE_HEARTBEAT_MS,     /* 2000 */
    SETTING_WIRE_SUSPECT_MS,       /* 6000 */
    SETTING_WIRE_DEAD_MS,          /* 14000 */
    SETTING_WIRE_RESEND_MS,        /* 2000, doubled up to ... */
    SETTING_WIRE_RESEND_MAX_MS,    /* 30000 */
    SETTING_WIRE_RECONNECT_MS,     /* 500 */
    SETTING_WIRE_RECONNECT_MAX_MS, /* 10000 */
    SETTING_WIRE_DRAIN_MS,         /* 30000 */
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT, /* "text" or "json" */
    SETTING_COUNT,
} SettingId;

typedef enum SettingType {
    SETTING_INT,
    SETTING_DECIMAL, /* such as 2 or 1.5, at most six decimals */
    SETTING_BOOL,
    SETTING_TEXT,
    SETTING_CHOICE,
    SETTING_LIST, /* texts: a YAML list, or comma separated in a flag and in the environment */
} SettingType;

typedef enum SettingSource {
    SOURCE_DEFAULT,
    SOURCE_FILE,
    SOURCE_ENVIRONMENT,
    SOURCE_FLAG,
    SOURCE_HOST, /* the program that embeds us */
} SettingSource;

typedef struct Setting {
    const char *path; /* "run.lock_timeout_ms": section.key of the file */
    SettingType type;
    int64_t min, max;           /* SETTING_INT, SETTING_DECIMAL */
    const char *const *choices; /* SETTING_CHOICE, NULL-terminated */
    const char *zero_word;      /* SETTING_INT: a word that means 0, such as "auto", or NULL */
    bool (*check)(const char *text, Error *error); /* SETTING_TEXT: more than "any text", or NULL */
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

/* "PGCONVOY_RUN_CONCURRENCY", malloc'ed; NULL when memory ran out. */
char *setting_environment_name(SettingId id);

/* Checks one value without storing it; the error says what is wrong with the value and leaves naming the
 * setting to the caller, who alone knows whether it was a flag, a variable or a key. */
bool setting_check(SettingId id, const char *text, Error *error) MUST_CHECK;

/* Loads defaults, the file (path, else PGCONVOY_CONFIG, else ./pgconvoy.yaml if there) and the environment.
 * A DATABASE_URL in the environment and no `databases` gives one database "main". A higher layer that says
 * where tenants come from (tenants.query, ids, schemas, file, command) replaces what a lower one said. */
Config *config_load(const char *path, Error *error) MUST_CHECK;

/* The same from a text; `name` stands for the file in messages. */
Config *config_load_text(const char *name, const char *text, size_t length, Error *error) MUST_CHECK;
void config_free(Config *config);

/* For a program that embeds us: the file at path, or the defaults when that is NULL, and no environment but
 * what the file itself refers to. */
Config *config_load_embedded(const char *path, Error *error) MUST_CHECK;

/* The databases in place of those that it has. A name of NULL is "main", 0 connections are the default. */
typedef struct DatabaseChoice {
    const char *name;
    const char *url;
    int64_t max_connections;
} DatabaseChoice;
bool config_set_databases(Config *config, const DatabaseChoice *choices, size_t count,
                          Error *error) MUST_CHECK;

/* To be called when everything of SOURCE_HOST is set: one way to find tenants, times in order. */
bool config_check(Config *config, Error *error) MUST_CHECK;

/* Sets one value from text, with the setting's checks; a comma separated text for a list. Used for flags:
 * with SOURCE_FLAG the error is ERROR_USAGE and does not name the setting, since the user typed an option.
 * A value from a higher source stays. */
bool config_set(Config *config, SettingId id, const char *text, SettingSource source,
                Error *error) MUST_CHECK;

/* The same for a SETTING_LIST whose parts are known; they are copied. */
bool config_set_list(Config *config, SettingId id, const TextList *parts, SettingSource source,
                     Error *error) MUST_CHECK;

int64_t config_int(const Config *config, SettingId id);
bool config_bool(const Config *config, SettingId id);
const char *config_text(const Config *config, SettingId id); /* never NULL; for INT and others as written */
double config_number(const Config *config, SettingId id);    /* SETTING_DECIMAL */
const TextList *config_list(const Config *config, SettingId id); /* SETTING_LIST; empty when not set */
SettingSource config_source(const Config *config, SettingId id);

const DatabaseConfig *config_databases(const Config *config, size_t *ret_count);

/* config_list() of the four lists. */
const TextList *config_tenant_ids(const Config *config);       /* tenants.ids */
const TextList *config_tenant_command(const Config *config);   /* tenants.command */
const TextList *config_worker_endpoints(const Config *config); /* coordinator.workers */
const TextList *config_coordinators(const Config *config);     /* worker.coordinators */

/* The file that was read, or NULL. */
const char *config_path(const Config *config);

/* deploy/pgconvoy.yaml: every setting with its doc and default, commented out; malloc'ed, NULL when memory
 * ran out. */
char *config_sample(void);

/* Appends the comma separated parts of text, which must not be empty; false with a filled error. */
bool text_list_add_parts(TextList *list, const char *text, Error *error) MUST_CHECK;

/* `text` in quotes and fit for a message: cut, control characters replaced, and "<redacted>" for whatever
 * looks like a connection string or password. Returns ret_text. */
enum { PRINTABLE_SIZE = 80 };
const char *printable_value(const char *text, char ret_text[PRINTABLE_SIZE]);

/* The known name nearest to `name` within a small edit distance, or NULL: for "did you mean". */
const char *nearest_name(const char *name, const char *const *known, size_t count);
