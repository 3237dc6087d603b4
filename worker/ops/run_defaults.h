/* Run defaults: a run's options with "not given" replaced by the defaults of the settings table. */
#pragma once
#include "common/operation.h"

typedef struct RunDefaults {
    const char *migrations_table;
    int64_t lock_timeout_ms, lock_attempts;
    int64_t set_lock_timeout_ms;
    int64_t retry_attempts, retry_initial_ms, retry_max_ms;
} RunDefaults;

RunDefaults run_defaults(const RunOptions *options);
