/* Options and exit codes of commands, those that several share excepted: rows of command_table.c, and of
 * nobody else. */
#pragma once
#include "coordinator/cli/command.h"

/* clang-format off */
static const char TARGET_FORMAT[] = "format";
static const char MIGRATION_NAME[] = "name";
static const char KEY_FILE[] = "file";
static const char SOURCE_ID[] = "from";

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
    {.name = "dry-run", .setting = NO_SETTING, .doc = "print who would be seeded, and write nothing"},
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
    {.name = "dry-run", .setting = NO_SETTING, .doc = "print what would be seeded, and write nothing"},
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
    {.name = "dry-run", .setting = NO_SETTING, .doc = "print who would be seeded, and write nothing"},
};

static const ExitCode SEED_EXITS[] = {
    {EXIT_DONE, NULL},        {EXIT_FAILED, "some tenants could not be seeded"},
    {EXIT_USAGE, NULL},       {EXIT_ABORTED, NULL},
    {EXIT_UNAVAILABLE, NULL}, {EXIT_MIGRATIONS, "the seed file was refused"},
    {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

static const Option KEYGEN_OPTIONS[] = {
    {.name = "file",
     .argument = "FILE",
     .setting = NO_SETTING,
     .exclusive = KEY_FILE,
     .doc = "where the key pair goes; a file that exists is not overwritten"},
    {.name = "role",
     .argument = "coordinator|worker",
     .setting = NO_SETTING,
     .doc = "who will use it (default worker)"},
    {.name = "name", .argument = "NAME", .setting = NO_SETTING, .doc = "its name for people (default this host's)"},
    {.name = "show", .setting = NO_SETTING, .doc = "only print the line for a key pair that is in FILE already"},
};

static const ExitCode KEYGEN_EXITS[] = {
    {EXIT_DONE, NULL}, {EXIT_USAGE, "the file exists, cannot be written, or holds no key pair"}, {-1, NULL},
};

static const Option CONVERT_OPTIONS[] = {
    {.name = "to",
     .argument = "FORMAT",
     .setting = NO_SETTING,
     .exclusive = TARGET_FORMAT,
     .doc = "the new format: name, hash or drizzle-kit"},
    {.name = "dry-run", .setting = NO_SETTING, .doc = "print what would be done, and write nothing"},
};

static const Option CONVERT_FILES[] = {
    {.name = "migrations-folder", .letter = 'f', .argument = "DIR", .setting = SETTING_MIGRATIONS_FOLDER},
    {.name = "migrations-table", .argument = "TABLE", .setting = SETTING_MIGRATIONS_TABLE},
};

static const ExitCode CONVERT_EXITS[] = {
    {EXIT_DONE, NULL},       {EXIT_FAILED, "some tenants could not be converted"},
    {EXIT_USAGE, NULL},      {EXIT_ABORTED, NULL},
    {EXIT_UNAVAILABLE, NULL}, {EXIT_MIGRATIONS, NULL},
    {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

static const Option GENERATE_OPTIONS[] = {
    {.name = "name",
     .letter = 'n',
     .argument = "NAME",
     .setting = NO_SETTING,
     .exclusive = MIGRATION_NAME,
     .doc = "what it is about, such as \"add users\""},
};

static const Option GENERATE_FOLDERS[] = {
    {.name = "shared", .setting = NO_SETTING, .doc = "into the folder of the shared schema's migrations"},
    {.name = "migrations-folder", .letter = 'f', .argument = "DIR", .setting = SETTING_MIGRATIONS_FOLDER},
};

static const ExitCode GENERATE_EXITS[] = {
    {EXIT_DONE, "the file was made"},
    {EXIT_FAILED, "it could not be written"},
    {EXIT_USAGE, NULL},
    {EXIT_MIGRATIONS, "there is no such folder, or drizzle-kit keeps it"},
    {-1, NULL},
};

static const ExitCode RUN_EXITS[] = {
    {EXIT_DONE, NULL}, {EXIT_USAGE, "there is no such run, or its journal is damaged"}, {-1, NULL},
};

static const Option CLONE_TENANTS[] = {
    {.name = "from",
     .argument = "ID",
     .setting = NO_SETTING,
     .exclusive = SOURCE_ID,
     .doc = "the tenant to copy (db/ID when there are several databases)"},
    {.name = "to", .argument = "ID", .setting = NO_SETTING, .doc = "the new tenant, in the same database"},
};

static const Option CLONE_OPTIONS[] = {
    {.name = "include-data", .setting = NO_SETTING, .doc = "copy the rows, too"},
    {.name = "anonymize",
     .argument = "T.C[=VALUE]",
     .setting = NO_SETTING,
     .rule = OPTION_REPEATABLE,
     .doc = "this value, or null, in column C of every row of table T"},
    {.name = "exclude-tables",
     .argument = "A,B",
     .setting = NO_SETTING,
     .rule = OPTION_REPEATABLE,
     .doc = "leave these tables out"},
    {.name = "force",
     .letter = 'f',
     .setting = NO_SETTING,
     .doc = "for scripts that say so: nothing is asked, and no tenant is ever replaced"},
    {.name = "migrations-table", .argument = "TABLE", .setting = SETTING_MIGRATIONS_TABLE},
};

static const ExitCode CLONE_EXITS[] = {
    {EXIT_DONE, "the clone is there"},
    {EXIT_FAILED, "the tenant was not cloned, and nothing of a clone stays"},
    {EXIT_USAGE, NULL},       {EXIT_ABORTED, NULL}, {EXIT_UNAVAILABLE, NULL},
    {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

static const ExitCode DOCTOR_EXITS[] = {
    {EXIT_DONE, "nothing is wrong"},  {EXIT_FAILED, "a check failed"},
    {EXIT_USAGE, NULL},               {EXIT_INTERRUPTED, "interrupted"},
    {-1, NULL},
};

static const Option DOCTOR_FILES[] = {
    {.name = "migrations-folder", .letter = 'f', .argument = "DIR", .setting = SETTING_MIGRATIONS_FOLDER},
};

static const Option METRICS_OPTIONS[] = {
    {.name = "health", .setting = NO_SETTING, .doc = "ask every database whether it answers, and how fast"},
};

static const ExitCode METRICS_EXITS[] = {
    {EXIT_DONE, NULL},        {EXIT_FAILED, "with --health: a database does not answer"},
    {EXIT_USAGE, NULL},       {EXIT_UNAVAILABLE, NULL},
    {EXIT_INTERRUPTED, "interrupted"}, {-1, NULL},
};

static const ExitCode INTROSPECT_EXITS[] = {
    {EXIT_DONE, NULL},        {EXIT_FAILED, "the schema could not be read"},
    {EXIT_USAGE, NULL},       {EXIT_UNAVAILABLE, NULL},
    {EXIT_INTERRUPTED, "interrupted"}, {-1, NULL},
};

static const Option DIFF_OPTIONS[] = {
    {.name = "reference",
     .argument = "ID",
     .setting = NO_SETTING,
     .doc = "compare with this tenant; by default with the first one"},
    {.name = "no-indexes", .setting = NO_SETTING, .doc = "leave indexes out"},
    {.name = "no-constraints", .setting = NO_SETTING, .doc = "leave constraints out"},
    {.name = "exclude-tables",
     .argument = "A,B",
     .setting = NO_SETTING,
     .rule = OPTION_REPEATABLE,
     .doc = "leave these tables out, besides the tracking table"},
    {.name = "migrations-table", .argument = "TABLE", .setting = SETTING_MIGRATIONS_TABLE},
};

static const ExitCode DIFF_EXITS[] = {
    {EXIT_DONE, "no drift"},  {EXIT_FAILED, "some schemas could not be read"},
    {EXIT_USAGE, NULL},       {EXIT_DRIFT, NULL},
    {EXIT_UNAVAILABLE, NULL}, {EXIT_INTERRUPTED, "interrupted"},
    {-1, NULL},
};

static const Option CREATE_OPTIONS[] = {
    {.name = "no-migrate", .setting = NO_SETTING, .doc = "create the schema and leave it empty"},
    {.name = "deadline", .argument = "MS", .setting = SETTING_RUN_DEADLINE_MS},
    {.name = "lock-timeout", .argument = "MS", .setting = SETTING_RUN_LOCK_TIMEOUT_MS},
    {.name = "lock-wait", .argument = "MS", .setting = SETTING_RUN_LOCK_WAIT_MS},
    {.name = "statement-timeout", .argument = "MS", .setting = SETTING_RUN_STATEMENT_TIMEOUT_MS},
};

static const ExitCode CREATE_EXITS[] = {
    {EXIT_DONE, "the tenant is there"},
    {EXIT_FAILED, "the schema could not be created, or a migration failed"},
    {EXIT_USAGE, NULL},      {EXIT_ABORTED, NULL},     {EXIT_UNAVAILABLE, NULL},
    {EXIT_MIGRATIONS, NULL}, {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

static const ExitCode EXISTS_EXITS[] = {
    {EXIT_DONE, "the tenant exists"},
    {EXIT_FAILED, "it does not"},
    {EXIT_USAGE, NULL},
    {EXIT_UNAVAILABLE, "it could not be learned"},
    {EXIT_INTERRUPTED, "interrupted"}, {-1, NULL},
};

static const Option REHEARSE_OPTIONS[] = {
    {.name = "concurrency", .letter = 'c', .argument = "N|auto", .setting = SETTING_RUN_CONCURRENCY},
    {.name = "schedule", .argument = "batch|rolling", .setting = SETTING_RUN_SCHEDULE},
    {.name = "deadline", .argument = "MS", .setting = SETTING_RUN_DEADLINE_MS},
    {.name = "journal",
     .argument = "FILE",
     .setting = NO_SETTING,
     .doc = "keep a journal here, as a real run does; by default none is kept"},
};

static const ExitCode REHEARSE_EXITS[] = {
    {EXIT_DONE, "every tenant went to a worker and came back"},
    {EXIT_FAILED, "some tenants did not come back"},
    {EXIT_USAGE, NULL},       {EXIT_ABORTED, NULL}, {EXIT_UNAVAILABLE, NULL},
    {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};
/* clang-format on */
