#include "common/buffer.h"
#include "common/config.h"
#include "common/setting_value.h"
#include <ctype.h>
#include <string.h>

/* INT32_MAX is what PostgreSQL and poll() take for milliseconds: 24 days. */
#define MILLISECONDS(from) .type = SETTING_INT, .min = (from), .max = INT32_MAX, .unit = "ms"
#define INTEGER(from, to, of) .type = SETTING_INT, .min = (from), .max = (to), .unit = (of)
#define CHOICE(names) .type = SETTING_CHOICE, .choices = (names), .unit = ""
#define BOOLEAN .type = SETTING_BOOL, .unit = ""
#define TEXT .type = SETTING_TEXT, .unit = ""
#define LIST .type = SETTING_LIST, .unit = "", .default_value = ""

static const char *const FORMATS[] = {"auto", "name", "hash", "drizzle-kit", NULL};
static const char *const NEW_FORMATS[] = {"name", "hash", "drizzle-kit", NULL};
static const char *const SCHEDULES[] = {"batch", "rolling", NULL};
static const char *const ERROR_POLICIES[] = {"", "continue", "abort", NULL};
static const char *const LOG_LEVELS[] = {"error", "warning", "info", "debug", NULL};
static const char *const LOG_FORMATS[] = {"text", "json", NULL};

/* Aligned columns would push these rows off the page. */
/* clang-format off */
static const Setting SETTINGS[SETTING_COUNT] = {
    [SETTING_TENANTS_SCHEMA] = {.path = "tenants.schema",
                                TEXT,
                                .default_value = "tenant_{id}",
                                .check = check_schema_template,
                                .doc = "template of a tenant's schema name"},
    [SETTING_TENANTS_QUERY] = {.path = "tenants.query",
                               TEXT,
                               .default_value = "",
                               .doc = "SQL that gives the tenant ids, run on every database"},
    [SETTING_TENANTS_IDS] = {.path = "tenants.ids", LIST, .doc = "the tenant ids themselves"},
    [SETTING_TENANTS_SCHEMAS] = {.path = "tenants.schemas",
                                 BOOLEAN,
                                 .default_value = "false",
                                 .doc = "every schema that fits the template is a tenant"},
    [SETTING_TENANTS_FILE] = {.path = "tenants.file",
                              TEXT,
                              .default_value = "",
                              .doc = "file with one id, or database<TAB>id, per line"},
    [SETTING_TENANTS_COMMAND] = {.path = "tenants.command",
                                 LIST,
                                 .doc = "program and arguments that print such lines; run without a shell"},

    [SETTING_MIGRATIONS_FOLDER] = {.path = "migrations.folder",
                                   TEXT,
                                   .default_value = "./migrations",
                                   .check = check_not_empty,
                                   .doc = "folder with the *.sql files"},
    [SETTING_MIGRATIONS_TABLE] = {.path = "migrations.table",
                                  TEXT,
                                  .default_value = "__drizzle_migrations",
                                  .check = check_not_empty,
                                  .doc = "tracking table in every tenant's schema"},
    [SETTING_MIGRATIONS_FORMAT] = {.path = "migrations.format",
                                   CHOICE(FORMATS),
                                   .default_value = "auto",
                                   .doc = "format of the tracking table: auto, name, hash or drizzle-kit"},
    [SETTING_MIGRATIONS_DEFAULT_FORMAT] =
        {.path = "migrations.default_format",
         CHOICE(NEW_FORMATS),
         .default_value = "name",
         .doc = "format of a tracking table that has to be created: name, hash or drizzle-kit"},

    [SETTING_SHARED_FOLDER] = {.path = "shared.folder",
                               TEXT,
                               .default_value = "",
                               .doc = "folder with the *.sql files of the shared schema, public"},
    [SETTING_SHARED_TABLE] = {.path = "shared.table",
                              TEXT,
                              .default_value = "__drizzle_shared_migrations",
                              .check = check_not_empty,
                              .doc = "tracking table in the shared schema"},
    [SETTING_SHARED_FORMAT] = {.path = "shared.format",
                               CHOICE(FORMATS),
                               .default_value = "auto",
                               .doc = "format of that table: auto, name, hash or drizzle-kit"},
    [SETTING_SHARED_DEFAULT_FORMAT] = {.path = "shared.default_format",
                                       CHOICE(NEW_FORMATS),
                                       .default_value = "name",
                                       .doc = "format of that table when it has to be created"},

    [SETTING_RUN_CONCURRENCY] = {.path = "run.concurrency",
                                 INTEGER(1, 10000, "tenants"),
                                 .zero_word = "auto",
                                 .default_value = "10",
                                 .doc = "tenants migrated at once; auto = as many as the workers have slots, "
                                        "which is the default with remote workers"},
    [SETTING_RUN_SCHEDULE] = {.path = "run.schedule",
                              CHOICE(SCHEDULES),
                              .default_value = "batch",
                              .doc = "batch waits for all of a batch, rolling keeps the slots filled"},
    [SETTING_RUN_ON_ERROR] = {.path = "run.on_error",
                              CHOICE(ERROR_POLICIES),
                              .default_value = "",
                              .doc = "continue or abort after a failed tenant; by default continue, but stop "
                                     "when the first 20 tenants all fail alike or a disk is full"},
    [SETTING_RUN_MAX_FAILURES] = {.path = "run.max_failures",
                                  TEXT,
                                  .default_value = "",
                                  .check = check_failure_limit,
                                  .doc = "stop after this many failed tenants, N or P%; 0 = never"},
    [SETTING_RUN_DEADLINE_MS] = {.path = "run.deadline_ms",
                                 MILLISECONDS(0),
                                 .default_value = "0",
                                 .doc = "start no tenant after this time; 0 = no deadline"},
    [SETTING_RUN_LOCK_TIMEOUT_MS] = {.path = "run.lock_timeout_ms",
                                     MILLISECONDS(0),
                                     .default_value = "4000",
                                     .doc = "lock_timeout of a migration's transaction; 0 = none"},
    [SETTING_RUN_LOCK_ATTEMPTS] = {.path = "run.lock_attempts",
                                   INTEGER(1, 1000, ""),
                                   .default_value = "8",
                                   .doc = "attempts when a migration meets its lock_timeout"},
    [SETTING_RUN_LOCK_WAIT_MS] = {.path = "run.lock_wait_ms",
                                  MILLISECONDS(0),
                                  .default_value = "600000",
                                  .doc = "how long to retry a tenant whose lock another run holds"},
    [SETTING_RUN_STATEMENT_TIMEOUT_MS] = {.path = "run.statement_timeout_ms",
                                          MILLISECONDS(0),
                                          .default_value = "0",
                                          .doc = "statement_timeout of a migration; 0 = none"},
    [SETTING_RUN_SET_LOCK_TIMEOUT_MS] = {.path = "run.set_lock_timeout_ms",
                                         MILLISECONDS(1),
                                         .default_value = "1000",
                                         .doc = "lock_timeout of reads that serve many tenants at once"},
    [SETTING_RUN_STRICT] = {.path = "run.strict",
                            BOOLEAN,
                            .default_value = "false",
                            .doc = "refuse when the content of an applied migration has changed, or may have"},

    [SETTING_POOLS_MAX_POOLS] = {.path = "pools.max_pools",
                                 INTEGER(1, 100000, "tenants"),
                                 .default_value = "50",
                                 .doc = "tenant pools held at once"},
    [SETTING_POOLS_TTL_MS] = {.path = "pools.ttl_ms",
                              MILLISECONDS(0),
                              .default_value = "3600000",
                              .doc = "an unused tenant pool closes after this time; 0 = never"},
    [SETTING_POOLS_CLEANUP_INTERVAL_MS] = {.path = "pools.cleanup_interval_ms",
                                           MILLISECONDS(1),
                                           .default_value = "60000",
                                           .doc = "how often unused pools are looked for"},
    [SETTING_POOLS_MAX_CONNECTIONS] = {.path = "pools.max_connections",
                                       INTEGER(1, 10000, "connections"),
                                       .default_value = "10",
                                       .doc = "connections of one tenant pool"},
    [SETTING_POOLS_IDLE_TIMEOUT_MS] = {.path = "pools.idle_timeout_ms",
                                       MILLISECONDS(0),
                                       .default_value = "30000",
                                       .doc = "an idle connection closes after this time; 0 = never"},
    [SETTING_POOLS_CONNECT_TIMEOUT_MS] = {.path = "pools.connect_timeout_ms",
                                          MILLISECONDS(1),
                                          .default_value = "5000",
                                          .doc = "how long to wait for a connection"},
    [SETTING_POOLS_RETIRE_TENANTS] = {.path = "pools.retire_tenants",
                                      INTEGER(1, 1000000, "tenants"),
                                      .default_value = "500",
                                      .doc = "a connection closes after serving this many tenants, because "
                                             "the server's catalog cache for it only grows"},
    [SETTING_POOLS_RETIRE_AGE_MS] = {.path = "pools.retire_age_ms",
                                     MILLISECONDS(1),
                                     .default_value = "1800000",
                                     .doc = "... or at this age"},

    [SETTING_RETRY_MAX_ATTEMPTS] = {.path = "retry.max_attempts",
                                    INTEGER(1, 100, ""),
                                    .default_value = "3",
                                    .doc = "attempts when a connection fails or the server asks to retry"},
    [SETTING_RETRY_INITIAL_DELAY_MS] = {.path = "retry.initial_delay_ms",
                                        MILLISECONDS(0),
                                        .default_value = "100",
                                        .doc = "pause before the second attempt"},
    [SETTING_RETRY_MAX_DELAY_MS] = {.path = "retry.max_delay_ms",
                                    MILLISECONDS(0),
                                    .default_value = "5000",
                                    .doc = "longest pause"},
    [SETTING_RETRY_MULTIPLIER] = {.path = "retry.multiplier",
                                  .type = SETTING_DECIMAL,
                                  .min = 1,
                                  .max = 100,
                                  .default_value = "2",
                                  .unit = "",
                                  .doc = "growth of the pauses"},
    [SETTING_RETRY_JITTER] = {.path = "retry.jitter",
                              BOOLEAN,
                              .default_value = "true",
                              .doc = "vary the pauses at random"},

    [SETTING_HOOKS_BEFORE_TENANT] = {.path = "hooks.before_tenant",
                                     LIST,
                                     .doc = "program and arguments that a worker runs before a tenant"},
    [SETTING_HOOKS_AFTER_TENANT] = {.path = "hooks.after_tenant",
                                    LIST,
                                    .doc = "... after it, with the tenant's result as JSON on stdin"},
    [SETTING_HOOKS_BEFORE_MIGRATION] = {.path = "hooks.before_migration",
                                        LIST,
                                        .doc = "... before each of its migrations"},
    [SETTING_HOOKS_AFTER_MIGRATION] = {.path = "hooks.after_migration",
                                       LIST,
                                       .doc = "... after each of them"},
    [SETTING_HOOKS_TIMEOUT_MS] = {.path = "hooks.timeout_ms",
                                  MILLISECONDS(1),
                                  .default_value = "60000",
                                  .doc = "a hook that runs longer is ended, and fails its tenant"},

    [SETTING_COORDINATOR_LISTEN] = {.path = "coordinator.listen",
                                    TEXT,
                                    .default_value = "",
                                    .doc = "endpoint for workers that connect, such as tcp://*:5570"},
    [SETTING_COORDINATOR_WORKERS] = {.path = "coordinator.workers",
                                     LIST,
                                     .doc = "endpoints of listening workers to connect to"},
    [SETTING_COORDINATOR_MIN_WORKERS] = {.path = "coordinator.min_workers",
                                         INTEGER(1, 10000, "workers"),
                                         .default_value = "1",
                                         .doc = "workers to wait for before starting"},
    [SETTING_COORDINATOR_WAIT_MS] = {.path = "coordinator.wait_ms",
                                     MILLISECONDS(0),
                                     .default_value = "60000",
                                     .doc = "how long to wait for workers"},
    [SETTING_COORDINATOR_PLAIN] = {.path = "coordinator.plain",
                                   BOOLEAN,
                                   .default_value = "false",
                                   .doc = "allow workers on loopback TCP without keys"},
    [SETTING_COORDINATOR_KEY_FILE] = {.path = "coordinator.key_file",
                                  TEXT,
                                  .default_value = "",
                                  .doc = "file with this program's own key pair, as pgconvoy keygen makes it"},
    [SETTING_COORDINATOR_PEERS] = {.path = "coordinator.peers",
                               TEXT,
                               .default_value = "",
                               .doc = "file with the keys of the workers that may talk to it"},

    [SETTING_WORKER_NAME] = {.path = "worker.name",
                             TEXT,
                             .default_value = "",
                             .doc = "name that people see; by default host/pid"},
    [SETTING_WORKER_COORDINATORS] = {.path = "worker.coordinators",
                                     LIST,
                                     .doc = "endpoints of coordinators to connect to"},
    [SETTING_WORKER_LISTEN] = {.path = "worker.listen",
                               TEXT,
                               .default_value = "",
                               .doc = "endpoint for coordinators that connect, such as tcp://*:5571"},
    [SETTING_WORKER_SLOTS] = {.path = "worker.slots",
                              INTEGER(1, 1000, "tenants"),
                              .default_value = "10",
                              .doc = "tenants that the worker serves at once"},
    [SETTING_WORKER_PLAIN] = {.path = "worker.plain",
                              BOOLEAN,
                              .default_value = "false",
                              .doc = "allow coordinators on loopback TCP without keys"},
    [SETTING_WORKER_KEY_FILE] = {.path = "worker.key_file",
                                  TEXT,
                                  .default_value = "",
                                  .doc = "file with this program's own key pair, as pgconvoy keygen makes it"},
    [SETTING_WORKER_PEERS] = {.path = "worker.peers",
                               TEXT,
                               .default_value = "",
                               .doc = "file with the keys of the coordinators that may talk to it"},

    [SETTING_WIRE_HEARTBEAT_MS] = {.path = "wire.heartbeat_ms",
                                   MILLISECONDS(1),
                                   .default_value = "2000",
                                   .doc = "pause between signs of life"},
    [SETTING_WIRE_SUSPECT_MS] = {.path = "wire.suspect_ms",
                                 MILLISECONDS(1),
                                 .default_value = "6000",
                                 .doc = "a peer silent for this long gets no new work"},
    [SETTING_WIRE_DEAD_MS] = {.path = "wire.dead_ms",
                              MILLISECONDS(1),
                              .default_value = "14000",
                              .doc = "a peer silent for this long is given up"},
    [SETTING_WIRE_RESEND_MS] = {.path = "wire.resend_ms",
                                MILLISECONDS(1),
                                .default_value = "2000",
                                .doc = "first pause before a message is sent again"},
    [SETTING_WIRE_RESEND_MAX_MS] = {.path = "wire.resend_max_ms",
                                    MILLISECONDS(1),
                                    .default_value = "30000",
                                    .doc = "longest such pause"},
    [SETTING_WIRE_RECONNECT_MS] = {.path = "wire.reconnect_ms",
                                   MILLISECONDS(1),
                                   .default_value = "200",
                                   .doc = "first pause before connecting again"},
    [SETTING_WIRE_RECONNECT_MAX_MS] = {.path = "wire.reconnect_max_ms",
                                       MILLISECONDS(1),
                                       .default_value = "1000",
                                       .doc = "longest such pause"},
    [SETTING_WIRE_DRAIN_MS] = {.path = "wire.drain_ms",
                               MILLISECONDS(0),
                               .default_value = "30000",
                               .doc = "how long a worker that ends waits for its tenants in flight"},

    [SETTING_LOG_LEVEL] = {.path = "log.level",
                           CHOICE(LOG_LEVELS),
                           .default_value = "info",
                           .doc = "least important entries to write: error, warning, info or debug"},
    [SETTING_LOG_FORMAT] = {.path = "log.format",
                            CHOICE(LOG_FORMATS),
                            .default_value = "text",
                            .doc = "form of log entries: text or json"},
};
/* clang-format on */

const Setting *setting_get(SettingId id)
{
    return &SETTINGS[id];
}

bool setting_from_path(const char *path, SettingId *ret_id)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (strcmp(SETTINGS[id].path, path) == 0) {
            *ret_id = (SettingId)id;
            return true;
        }
    }
    return false;
}

char *setting_environment_name(SettingId id)
{
    Buffer name = {0};
    buffer_append_text(&name, "PGCONVOY_");
    for (const char *c = SETTINGS[id].path; *c != '\0'; c++)
        buffer_append_char(&name, *c == '.' ? '_' : (char)toupper((unsigned char)*c));
    return buffer_take(&name);
}

bool setting_check(SettingId id, const char *text, Error *error)
{
    SettingValue ignored;
    return setting_parse(&SETTINGS[id], text, &ignored, error);
}
