#include "worker/ops/run_defaults.h"

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

RunDefaults run_defaults(const RunOptions *options)
{
    const char *table = options->migrations_table;
    return (RunDefaults){
        .migrations_table = table != NULL && table[0] != '\0' ? table : "__drizzle_migrations",
        .lock_timeout_ms = or_default(options->lock_timeout_ms, 4000),
        .lock_attempts = or_default(options->lock_attempts, 8),
        .set_lock_timeout_ms = or_default(options->set_lock_timeout_ms, 1000),
        .retry_attempts = or_default(options->retry_max_attempts, 3),
        .retry_initial_ms = or_default(options->retry_initial_delay_ms, 100),
        .retry_max_ms = or_default(options->retry_max_delay_ms, 5000),
    };
}
