/* Options and exit codes of the commands that seed or work on the shared schema; rows of command_table.c, and
 * of nobody else. */
#pragma once
#include "coordinator/cli/command.h"

/* clang-format off */
static const Option SHARED_OPTIONS[] = {
    {.name = "dry-run", .setting = NO_SETTING, .doc = "print what would be done, and write nothing"},
    {.name = "mark-applied",
     .setting = NO_SETTING,
     .doc = "record the pending migrations as applied without running them"},
    {.name = "strict", .setting = SETTING_RUN_STRICT},
};

/* For how long a run of one schema goes on and waits. */
static const Option WAITING_OPTIONS[] = {
    {.name = "deadline", .argument = "MS", .setting = SETTING_RUN_DEADLINE_MS},
    {.name = "lock-timeout", .argument = "MS", .setting = SETTING_RUN_LOCK_TIMEOUT_MS},
    {.name = "lock-wait", .argument = "MS", .setting = SETTING_RUN_LOCK_WAIT_MS},
    {.name = "statement-timeout", .argument = "MS", .setting = SETTING_RUN_STATEMENT_TIMEOUT_MS},
};

static const Option SHARED_FILES[] = {
    {.name = "migrations-folder", .letter = 'f', .argument = "DIR", .setting = SETTING_SHARED_FOLDER},
    {.name = "migrations-table", .argument = "TABLE", .setting = SETTING_SHARED_TABLE},
    {.name = "format", .argument = "FORMAT", .setting = SETTING_SHARED_FORMAT},
    {.name = "default-format", .argument = "FORMAT", .setting = SETTING_SHARED_DEFAULT_FORMAT},
};

static const Option STATUS_EXTENT[] = {
    {.name = "include-shared", .setting = NO_SETTING, .doc = "the shared schema too"},
};

static const ExitCode MIGRATE_SHARED_EXITS[] = {
    {EXIT_DONE, NULL},       {EXIT_FAILED, "a migration of the shared schema failed"},
    {EXIT_USAGE, NULL},      {EXIT_ABORTED, "the deadline passed"},
    {EXIT_UNAVAILABLE, "the shared schema is locked by another run, or no workers came"},
    {EXIT_MIGRATIONS, NULL}, {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

static const Option SEED_OPTIONS[] = {
    {.name = "file",
     .letter = 'f',
     .argument = "FILE",
     .setting = NO_SETTING,
     .doc = "the SQL file that fills a tenant, run in one transaction for each"},
    {.name = "once",
     .setting = NO_SETTING,
     .doc = "record the seed in each tenant, and do not run it where it is recorded"},
};

static const Option SEED_SHARED_OPTIONS[] = {
    {.name = "file",
     .letter = 'f',
     .argument = "FILE",
     .setting = NO_SETTING,
     .doc = "the SQL file that fills the shared schema, run in one transaction"},
    {.name = "once",
     .setting = NO_SETTING,
     .doc = "record the seed, and do not run it where it is recorded"},
};

static const Option SEED_ALL_OPTIONS[] = {
    {.name = "shared-file",
     .argument = "FILE",
     .setting = NO_SETTING,
     .doc = "the SQL file that fills the shared schema, before the tenants"},
    {.name = "tenant-file",
     .argument = "FILE",
     .setting = NO_SETTING,
     .doc = "the SQL file that fills a tenant; when the shared schema failed, tenants are skipped"},
    {.name = "once",
     .setting = NO_SETTING,
     .doc = "record the seeds, and do not run them where they are recorded"},
};

static const ExitCode SEED_EXITS[] = {
    {EXIT_DONE, NULL},        {EXIT_FAILED, "some tenants could not be seeded"},
    {EXIT_USAGE, NULL},       {EXIT_ABORTED, NULL},
    {EXIT_UNAVAILABLE, NULL}, {EXIT_MIGRATIONS, "the seed file was refused"},
    {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

/* clang-format on */
