/* How the pools retry, which programs may borrow for connections of their own. */
#pragma once
#include "worker/pool/pool_manager.h"

/* What was left out (0) by its default. */
PoolRetry pool_retry_with_defaults(PoolRetry given);

/* How long to wait after so many failed attempts: initial * multiplier^(failed - 1), capped, then up to 25 %
 * more from *random. */
int64_t pool_retry_delay_ms(const PoolRetry *retry, int64_t failed_attempts, uint64_t *random);
