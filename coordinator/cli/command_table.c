#include "coordinator/cli/command.h"
#include "coordinator/cli/command_options.h"
#include "coordinator/cli/commands.h"

enum { TENANT_LIMIT_MAX = 10000000 };

#define ROWS(rows) .options = (rows), .count = sizeof(rows) / sizeof((rows)[0])

static const char CHOICE_OF_TENANTS[] = "tenants";
static const char CHOICE_OF_ACTION[] = "action";
static const char TENANT_ID[] = "id";
static const char JOURNAL[] = "journal";
static const char WAY_TO_CASCADE[] = "cascade";

/* clang-format off */
static const Option TENANT_OPTIONS[] = {
    {.name = "all",
     .letter = 'a',
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_TENANTS,
     .doc = "every tenant that the configuration finds"},
    {.name = "tenant",
     .letter = 't',
     .argument = "ID",
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_TENANTS,
     .doc = "this tenant (db/ID when several databases know the id)"},
    {.name = "tenants",
     .argument = "A,B",
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_TENANTS,
     .doc = "these tenants, in this order"},
    {.name = "tenants-file",
     .argument = "FILE",
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_TENANTS,
     .doc = "the tenants in this file, one id or db<TAB>id per line; - is stdin"},
    {.name = "exclude",
     .argument = "A,B",
     .setting = NO_SETTING,
     .rule = OPTION_REPEATABLE,
     .doc = "not these tenants"},
    {.name = "exclude-file",
     .argument = "FILE",
     .setting = NO_SETTING,
     .doc = "not the tenants in this file"},
    {.name = "limit",
     .argument = "N",
     .setting = NO_SETTING,
     .min = 1,
     .max = TENANT_LIMIT_MAX,
     .doc = "only the first N tenants"},
};

static const Option RUN_OPTIONS[] = {
    {.name = "dry-run", .setting = NO_SETTING, .doc = "print what would be done, and write nothing"},
    {.name = "mark-applied",
     .setting = NO_SETTING,
     .doc = "record the pending migrations as applied without running them"},
    {.name = "with-shared",
     .setting = NO_SETTING,
     .doc = "first the shared schema; when it fails, the tenants are skipped"},
    {.name = "concurrency", .letter = 'c', .argument = "N|auto", .setting = SETTING_RUN_CONCURRENCY},
    {.name = "schedule", .argument = "batch|rolling", .setting = SETTING_RUN_SCHEDULE},
    {.name = "on-error", .argument = "continue|abort", .setting = SETTING_RUN_ON_ERROR},
    {.name = "max-failures", .argument = "N|P%", .setting = SETTING_RUN_MAX_FAILURES},
    {.name = "deadline", .argument = "MS", .setting = SETTING_RUN_DEADLINE_MS},
    {.name = "lock-timeout", .argument = "MS", .setting = SETTING_RUN_LOCK_TIMEOUT_MS},
    {.name = "lock-wait", .argument = "MS", .setting = SETTING_RUN_LOCK_WAIT_MS},
    {.name = "statement-timeout", .argument = "MS", .setting = SETTING_RUN_STATEMENT_TIMEOUT_MS},
    {.name = "strict", .setting = SETTING_RUN_STRICT},
    {.name = "journal",
     .argument = "FILE",
     .setting = NO_SETTING,
     .exclusive = JOURNAL,
     .doc = "keep the run's journal here; by default in ~/.local/state/pgconvoy/runs"},
    {.name = "no-journal", .setting = NO_SETTING, .exclusive = JOURNAL, .doc = "keep no journal"},
};

static const Option SYNC_ACTIONS[] = {
    {.name = "status",
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_ACTION,
     .doc = "tell what is missing and what is orphaned; the default"},
    {.name = "mark-missing",
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_ACTION,
     .doc = "record the missing migrations as applied without running them"},
    {.name = "clean-orphans",
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_ACTION,
     .doc = "remove the rows that no migration file explains"},
    {.name = "dry-run", .setting = NO_SETTING, .doc = "print what an action would do, and write nothing"},
};

static const Option ACTION_OPTIONS[] = {
    {.name = "concurrency", .letter = 'c', .argument = "N|auto", .setting = SETTING_RUN_CONCURRENCY},
    {.name = "schedule", .argument = "batch|rolling", .setting = SETTING_RUN_SCHEDULE},
    {.name = "on-error", .argument = "continue|abort", .setting = SETTING_RUN_ON_ERROR},
    {.name = "max-failures", .argument = "N|P%", .setting = SETTING_RUN_MAX_FAILURES},
    {.name = "deadline", .argument = "MS", .setting = SETTING_RUN_DEADLINE_MS},
    {.name = "lock-timeout", .argument = "MS", .setting = SETTING_RUN_LOCK_TIMEOUT_MS},
    {.name = "lock-wait", .argument = "MS", .setting = SETTING_RUN_LOCK_WAIT_MS},
    {.name = "statement-timeout", .argument = "MS", .setting = SETTING_RUN_STATEMENT_TIMEOUT_MS},
};

static const Option MIGRATE_FILES[] = {
    {.name = "migrations-folder", .letter = 'f', .argument = "DIR", .setting = SETTING_MIGRATIONS_FOLDER},
    {.name = "migrations-table", .argument = "TABLE", .setting = SETTING_MIGRATIONS_TABLE},
    {.name = "format", .argument = "FORMAT", .setting = SETTING_MIGRATIONS_FORMAT},
    {.name = "default-format", .argument = "FORMAT", .setting = SETTING_MIGRATIONS_DEFAULT_FORMAT},
};

static const Option STATUS_FILES[] = {
    {.name = "migrations-folder", .letter = 'f', .argument = "DIR", .setting = SETTING_MIGRATIONS_FOLDER},
    {.name = "migrations-table", .argument = "TABLE", .setting = SETTING_MIGRATIONS_TABLE},
    {.name = "format", .argument = "FORMAT", .setting = SETTING_MIGRATIONS_FORMAT},
};

static const Option WORKER_LINKS[] = {
    {.name = "listen", .argument = "ENDPOINT", .setting = SETTING_COORDINATOR_LISTEN},
    {.name = "workers", .argument = "E1,E2", .setting = SETTING_COORDINATOR_WORKERS},
    {.name = "min-workers", .argument = "N", .setting = SETTING_COORDINATOR_MIN_WORKERS},
    {.name = "wait", .argument = "MS", .setting = SETTING_COORDINATOR_WAIT_MS},
    {.name = "plain", .setting = SETTING_COORDINATOR_PLAIN},
    {.name = "key-file", .argument = "FILE", .setting = SETTING_COORDINATOR_KEY_FILE},
    {.name = "peers", .argument = "FILE", .setting = SETTING_COORDINATOR_PEERS},
};

static const Option MIGRATE_OUTPUT[] = {
    {.name = "json", .setting = NO_SETTING, .doc = "the result as JSON on stdout"},
};

static const Option STATUS_OUTPUT[] = {
    {.name = "json", .setting = NO_SETTING, .doc = "the result as JSON on stdout"},
    {.name = "exit-code", .setting = NO_SETTING, .doc = "exit with 3 when migrations are pending"},
};

static const Option SYNC_OUTPUT[] = {
    {.name = "json", .setting = NO_SETTING, .doc = "the result as JSON on stdout"},
    {.name = "exit-code", .setting = NO_SETTING, .doc = "exit with 3 when a tenant is out of sync"},
};

static const Option ONE_TENANT[] = {
    {.name = "id",
     .argument = "ID",
     .setting = NO_SETTING,
     .exclusive = TENANT_ID,
     .doc = "the tenant (db/ID when there are several databases)"},
};

static const Option DROP_OPTIONS[] = {
    {.name = "force", .letter = 'f', .setting = NO_SETTING, .doc = "do not ask before the tenant is dropped"},
    {.name = "no-cascade",
     .setting = NO_SETTING,
     .exclusive = WAY_TO_CASCADE,
     .doc = "drop the schema only if it is empty"},
    {.name = "cascade-foreign",
     .setting = NO_SETTING,
     .exclusive = WAY_TO_CASCADE,
     .doc = "drop also what depends on the tenant in other schemas: views, foreign keys, functions, .."},
    {.name = "deadline", .argument = "MS", .setting = SETTING_RUN_DEADLINE_MS},
    {.name = "lock-timeout", .argument = "MS", .setting = SETTING_RUN_LOCK_TIMEOUT_MS},
    {.name = "lock-wait", .argument = "MS", .setting = SETTING_RUN_LOCK_WAIT_MS},
    {.name = "statement-timeout", .argument = "MS", .setting = SETTING_RUN_STATEMENT_TIMEOUT_MS},
};

static const ExitCode MIGRATE_EXITS[] = {
    {EXIT_DONE, NULL},       {EXIT_FAILED, NULL},      {EXIT_USAGE, NULL},
    {EXIT_ABORTED, NULL},    {EXIT_UNAVAILABLE, NULL}, {EXIT_MIGRATIONS, NULL},
    {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

static const ExitCode STATUS_EXITS[] = {
    {EXIT_DONE, NULL},        {EXIT_FAILED, "the status of some tenants could not be read"},
    {EXIT_USAGE, NULL},       {EXIT_PENDING, NULL},
    {EXIT_UNAVAILABLE, NULL}, {EXIT_MIGRATIONS, NULL},
    {EXIT_INTERRUPTED, "interrupted"}, {-1, NULL},
};

static const ExitCode SYNC_EXITS[] = {
    {EXIT_DONE, NULL},        {EXIT_FAILED, "some tenants could not be read or repaired"},
    {EXIT_USAGE, NULL},       {EXIT_PENDING, "tenants are out of sync, with --exit-code"},
    {EXIT_ABORTED, NULL},     {EXIT_UNAVAILABLE, NULL},
    {EXIT_MIGRATIONS, NULL},  {EXIT_INTERRUPTED, NULL},
    {-1, NULL},
};

static const ExitCode DROP_EXITS[] = {
    {EXIT_DONE, "the tenant is gone, or was not there"},
    {EXIT_FAILED, "the tenant could not be dropped"},
    {EXIT_USAGE, NULL},       {EXIT_ABORTED, NULL}, {EXIT_UNAVAILABLE, NULL},
    {EXIT_INTERRUPTED, NULL}, {-1, NULL},
};

static const Option INTROSPECT_OPTIONS[] = {
    {.name = "tenant",
     .letter = 't',
     .argument = "ID",
     .setting = NO_SETTING,
     .exclusive = CHOICE_OF_TENANTS,
     .doc = "this tenant (db/ID when several databases know the id)"},
    {.name = "migrations-table", .argument = "TABLE", .setting = SETTING_MIGRATIONS_TABLE},
};

static const Command ROWS_OF_COMMANDS[] = {
    {
        .name = "migrate",
        .summary = "Apply pending migrations to tenants.",
        .usage = "--all | --tenant ID | --tenants A,B | --tenants-file FILE [options]",
        .example = "pgconvoy migrate --all --concurrency 20 --max-failures 1% --json",
        .exits = MIGRATE_EXITS,
        .groups =
            {
                {"Tenants", ROWS(TENANT_OPTIONS)},
                {"Run", ROWS(RUN_OPTIONS)},
                {"Migrations", ROWS(MIGRATE_FILES)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = CHOICE_OF_TENANTS,
        .run = cli_migrate,
    },
    {
        .name = "migrate:shared",
        .summary = "Apply pending migrations to the shared schema, public, of every database.",
        .usage = "[--dry-run] [--mark-applied] [options]",
        .example = "pgconvoy migrate:shared && pgconvoy migrate --all",
        .exits = MIGRATE_SHARED_EXITS,
        .groups =
            {
                {"Run", ROWS(SHARED_OPTIONS)},
                {"Waiting", ROWS(WAITING_OPTIONS)},
                {"Migrations", ROWS(SHARED_FILES)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .run = cli_migrate_shared,
    },
    {
        .name = "status",
        .summary = "Tell which migrations each tenant has and lacks; by default of all tenants.",
        .usage = "[--all | --tenant ID | --tenants A,B | --tenants-file FILE] [options]",
        .example = "pgconvoy status --all --exit-code",
        .exits = STATUS_EXITS,
        .groups =
            {
                {"Tenants", ROWS(TENANT_OPTIONS)},
                {"Shared schema", ROWS(STATUS_EXTENT)},
                {"Migrations", ROWS(STATUS_FILES)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(STATUS_OUTPUT)},
            },
        .run = cli_status,
    },
    {
        .name = "sync",
        .summary = "Compare tracking tables with the migration files, and repair them; by default of all tenants.",
        .usage = "[--status | --mark-missing | --clean-orphans] [--all | --tenant ID | --tenants A,B | "
                 "--tenants-file FILE] [options]",
        .example = "pgconvoy sync --mark-missing --tenants acme,globex",
        .exits = SYNC_EXITS,
        .groups =
            {
                {"Action", ROWS(SYNC_ACTIONS)},
                {"Tenants", ROWS(TENANT_OPTIONS)},
                {"Run", ROWS(ACTION_OPTIONS)},
                {"Migrations", ROWS(MIGRATE_FILES)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(SYNC_OUTPUT)},
            },
        .run = cli_sync,
    },
    {
        .name = "tenant:create",
        .summary = "Create a tenant's schema and apply all migrations to it.",
        .usage = "--id ID [--no-migrate] [options]",
        .example = "pgconvoy tenant:create --id acme",
        .exits = CREATE_EXITS,
        .groups =
            {
                {"Tenant", ROWS(ONE_TENANT)},
                {"Run", ROWS(CREATE_OPTIONS)},
                {"Migrations", ROWS(MIGRATE_FILES)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = TENANT_ID,
        .run = cli_tenant_create,
    },
    {
        .name = "tenant:drop",
        .summary = "Drop a tenant's schema with everything in it.",
        .usage = "--id ID [--force] [--no-cascade | --cascade-foreign] [options]",
        .example = "pgconvoy tenant:drop --id acme --force",
        .exits = DROP_EXITS,
        .groups =
            {
                {"Tenant", ROWS(ONE_TENANT)},
                {"Run", ROWS(DROP_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = TENANT_ID,
        .run = cli_tenant_drop,
    },
    {
        .name = "tenant:exists",
        .summary = "Tell whether a tenant has a schema.",
        .usage = "--id ID [options]",
        .example = "pgconvoy tenant:exists --id acme || pgconvoy tenant:create --id acme",
        .exits = EXISTS_EXITS,
        .groups =
            {
                {"Tenant", ROWS(ONE_TENANT)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = TENANT_ID,
        .run = cli_tenant_exists,
    },
    {
        .name = "diff",
        .summary = "Tell how the schemas of tenants differ from a reference's; by default of all tenants.",
        .usage = "[--reference ID] [--all | --tenant ID | --tenants A,B | --tenants-file FILE] [options]",
        .example = "pgconvoy diff --reference acme --exclude-tables audit_log",
        .exits = DIFF_EXITS,
        .groups =
            {
                {"Comparison", ROWS(DIFF_OPTIONS)},
                {"Tenants", ROWS(TENANT_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .run = cli_diff,
    },
    {
        .name = "introspect",
        .summary = "Show everything in one tenant's schema.",
        .usage = "--tenant ID [options]",
        .example = "pgconvoy introspect --tenant acme --json",
        .exits = INTROSPECT_EXITS,
        .groups =
            {
                {"Tenant", ROWS(INTROSPECT_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = CHOICE_OF_TENANTS,
        .run = cli_introspect,
    },
    {
        .name = "tenant:clone",
        .summary = "Copy a tenant's whole schema, with or without its rows, as another tenant.",
        .usage = "--from ID --to ID [--include-data [--anonymize T.C[=VALUE]]] [options]",
        .example = "pgconvoy tenant:clone --from acme --to acme_test --include-data --anonymize users.email=x@example.com",
        .exits = CLONE_EXITS,
        .groups =
            {
                {"Tenants", ROWS(CLONE_TENANTS)},
                {"Copy", ROWS(CLONE_OPTIONS)},
                {"Run", ROWS(WAITING_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = SOURCE_ID,
        .run = cli_tenant_clone,
    },
    {
        .name = "doctor",
        .summary = "Look at configuration, databases, tenants, files and workers before a run does.",
        .usage = "[options]",
        .example = "pgconvoy doctor --json",
        .exits = DOCTOR_EXITS,
        .groups =
            {
                {"Migrations", ROWS(DOCTOR_FILES)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .run = cli_doctor,
    },
    {
        .name = "metrics",
        .summary = "Show the pools that this command has, and with --health how the databases answer.",
        .usage = "[--health] [options]",
        .example = "pgconvoy metrics --health --json",
        .exits = METRICS_EXITS,
        .groups =
            {
                {"Metrics", ROWS(METRICS_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .run = cli_metrics,
    },
    {
        .name = "rehearse",
        .summary = "Send every tenant to the workers and back, to do nothing: no database is touched.",
        .usage = "--all | --tenants-file FILE | --tenants A,B [options]",
        .example = "pgconvoy rehearse --all --listen tcp://*:5570 --min-workers 3 --schedule rolling",
        .exits = REHEARSE_EXITS,
        .groups =
            {
                {"Tenants", ROWS(TENANT_OPTIONS)},
                {"Run", ROWS(REHEARSE_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = CHOICE_OF_TENANTS,
        .run = cli_rehearse,
    },
    {
        .name = "keygen",
        .summary = "Make a key pair, and print the line that the other side's peers file needs.",
        .usage = "--file FILE [--role coordinator|worker] [--name NAME] [--show]",
        .example = "pgconvoy keygen --file worker.key --role worker --name db-7 >> peers",
        .exits = KEYGEN_EXITS,
        .groups =
            {
                {"Key", ROWS(KEYGEN_OPTIONS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = KEY_FILE,
        .run = cli_keygen,
    },
    {
        .name = "seed",
        .summary = "Fill tenants with the data of an SQL file, each in one transaction.",
        .usage = "--file FILE --all | --tenant ID | --tenants A,B | --tenants-file FILE [options]",
        .example = "pgconvoy seed --file seeds/plans.sql --all --once",
        .exits = SEED_EXITS,
        .groups =
            {
                {"Seed", ROWS(SEED_OPTIONS)},
                {"Tenants", ROWS(TENANT_OPTIONS)},
                {"Run", ROWS(ACTION_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = CHOICE_OF_TENANTS,
        .run = cli_seed,
    },
    {
        .name = "seed:shared",
        .alias = "seed-shared",
        .summary = "Fill the shared schema, public, of every database with the data of an SQL file.",
        .usage = "--file FILE [--once] [options]",
        .example = "pgconvoy seed:shared --file seeds/plans.sql --once",
        .exits = SEED_EXITS,
        .groups =
            {
                {"Seed", ROWS(SEED_SHARED_OPTIONS)},
                {"Run", ROWS(WAITING_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .run = cli_seed_shared,
    },
    {
        .name = "seed:all",
        .alias = "seed-all",
        .summary = "Fill the shared schema and then all tenants with the data of SQL files.",
        .usage = "--shared-file FILE --tenant-file FILE [--once] [options]",
        .example = "pgconvoy seed:all --shared-file seeds/plans.sql --tenant-file seeds/tenant.sql",
        .exits = SEED_EXITS,
        .groups =
            {
                {"Seed", ROWS(SEED_ALL_OPTIONS)},
                {"Run", ROWS(ACTION_OPTIONS)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .run = cli_seed_all,
    },
    {
        .name = "convert-format",
        .summary = "Change the format of tracking tables; by default of all tenants.",
        .usage = "--to FORMAT [--all | --tenant ID | --tenants A,B | --tenants-file FILE] [options]",
        .example = "pgconvoy convert-format --to hash --dry-run",
        .exits = CONVERT_EXITS,
        .groups =
            {
                {"Conversion", ROWS(CONVERT_OPTIONS)},
                {"Tenants", ROWS(TENANT_OPTIONS)},
                {"Run", ROWS(ACTION_OPTIONS)},
                {"Migrations", ROWS(CONVERT_FILES)},
                {"Workers", ROWS(WORKER_LINKS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = TARGET_FORMAT,
        .run = cli_convert_format,
    },
    {
        .name = "generate",
        .summary = "Start the next migration file; needs no database.",
        .usage = "--name NAME [--shared] [options]",
        .example = "pgconvoy generate --name \"add users\"",
        .exits = GENERATE_EXITS,
        .groups =
            {
                {"Migration", ROWS(GENERATE_OPTIONS)},
                {"Folder", ROWS(GENERATE_FOLDERS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = MIGRATION_NAME,
        .run = cli_generate,
    },
    {
        .name = "generate:shared",
        .summary = "Start the next migration file of the shared schema; needs no database.",
        .usage = "--name NAME [options]",
        .example = "pgconvoy generate:shared --name \"add plans\"",
        .exits = GENERATE_EXITS,
        .groups =
            {
                {"Migration", ROWS(GENERATE_OPTIONS)},
                {"Output", ROWS(MIGRATE_OUTPUT)},
            },
        .required = MIGRATION_NAME,
        .run = cli_generate,
    },
    {
        .name = "run:list",
        .summary = "List the runs that left a journal, oldest first.",
        .usage = "[--json]",
        .example = "pgconvoy run list",
        .exits = RUN_EXITS,
        .groups = {{"Output", ROWS(MIGRATE_OUTPUT)}},
        .run = cli_run_list,
    },
    {
        .name = "run:show",
        .summary = "Show what a run did, as its journal tells.",
        .usage = "RUN [options]",
        .example = "pgconvoy run show 4f2a91c3 --json",
        .exits = RUN_EXITS,
        .groups = {{"Output", ROWS(MIGRATE_OUTPUT)}},
        .positionals = 1,
        .run = cli_run_show,
    },
    {
        .name = "run:resume",
        .summary = "Go on with a run that was broken off: the same command, and one report about all of it.",
        .usage = "RUN",
        .example = "pgconvoy run resume 4f2a91c3",
        .exits = MIGRATE_EXITS,
        .groups = {{"Output", ROWS(MIGRATE_OUTPUT)}},
        .positionals = 1,
        .run = cli_run_resume,
    },
    {
        .name = "run:retry-failed",
        .summary = "Run a command again for the tenants that failed or were skipped.",
        .usage = "RUN",
        .example = "pgconvoy run retry-failed 4f2a91c3",
        .exits = MIGRATE_EXITS,
        .groups = {{"Output", ROWS(MIGRATE_OUTPUT)}},
        .positionals = 1,
        .run = cli_run_retry_failed,
    },
};
/* clang-format on */

const CommandTable COMMANDS = {ROWS_OF_COMMANDS, sizeof(ROWS_OF_COMMANDS) / sizeof(ROWS_OF_COMMANDS[0])};
