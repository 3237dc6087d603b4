#include "worker/ops/run_defaults.h"
#include "worker/ops/attempt.h"

RunDefaults run_defaults(const RunOptions *options)
{
    const char *table = options->migrations_table;
    return (RunDefaults){
        .migrations_table = table != NULL && table[0] != '\0' ? table : "__drizzle_migrations",
        .lock_timeout_ms = op_option(options->lock_timeout_ms, 4000),
        .lock_attempts = op_option(options->lock_attempts, 8),
        .retry_attempts = op_option(options->retry_max_attempts, 3),
        .retry_initial_ms = op_option(options->retry_initial_delay_ms, 100),
        .retry_max_ms = op_option(options->retry_max_delay_ms, 5000),
    };
}
