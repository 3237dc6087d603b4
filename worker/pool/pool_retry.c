#include "worker/pool/pool_retry.h"
#include "worker/pool/pool_public.h"
#include <errno.h>
#include <time.h>

PoolRetry pool_retry_with_defaults(PoolRetry given)
{
    const PoolRetry *usual = &POOL_MANAGER_DEFAULTS.retry;
    if (given.max_attempts == 0)
        given.max_attempts = usual->max_attempts;
    if (given.initial_delay_ms == 0)
        given.initial_delay_ms = usual->initial_delay_ms;
    if (given.max_delay_ms == 0)
        given.max_delay_ms = usual->max_delay_ms;
    if (given.multiplier == 0)
        given.multiplier = usual->multiplier;
    return given;
}

int64_t pool_retry_delay_ms(const PoolRetry *retry, int64_t failed_attempts, uint64_t *random)
{
    double delay = (double)retry->initial_delay_ms;
    for (int64_t i = 1; i < failed_attempts && delay < (double)retry->max_delay_ms; i++)
        delay *= retry->multiplier;
    int64_t most = retry->max_delay_ms, whole = delay < (double)most ? (int64_t)delay : most;
    /* that attempt's delay is `whole` and jitter */
    return retry->jitter ? retry_delay_ms(2, whole, whole, random) : whole;
}

/* --- for programs --- */

static bool check(const PoolRetry *retry, Error *error)
{
    if (retry->max_attempts >= 1 && retry->initial_delay_ms >= 0 && retry->max_delay_ms >= 0 &&
        retry->multiplier >= 1)
        return true;
    return error_set(error, ERROR_USAGE, "a retry has a negative number, or a multiplier below 1");
}

static void pause_for(int64_t delay_ms)
{
    struct timespec left = {.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static bool try_once(pgconvoy_work *work, void *context, Error *error)
{
    error_clear(error);
    if (work(context, error)) {
        error_clear(error);
        return true;
    }
    if (error->code == ERROR_NONE)
        error_set(error, ERROR_CALLBACK, "what was tried failed and did not say why");
    return false;
}

bool pgconvoy_with_retry(const pgconvoy_retry_options *options, pgconvoy_work *work, void *context,
                         pgconvoy_retry_result *ret_result, pgconvoy_error *error)
{
    static const pgconvoy_retry_options DEFAULTS = {0};
    options = options != NULL ? options : &DEFAULTS;
    const PoolRetry retry =
        pool_retry_with_defaults((PoolRetry){.max_attempts = options->max_attempts,
                                             .initial_delay_ms = options->initial_delay_ms,
                                             .max_delay_ms = options->max_delay_ms,
                                             .multiplier = options->multiplier,
                                             .jitter = !options->no_jitter});
    if (!pool_argument_check((void *)work, "work", error) || !check(&retry, error))
        return false;
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK), attempt = 1;
    uint64_t random = (uint64_t)(uintptr_t)context ^ (uint64_t)started_ms;
    for (; !try_once(work, context, error); attempt++) {
        if (attempt >= retry.max_attempts || error_retry_class(error) == RETRY_NEVER)
            return false;
        int64_t delay_ms = pool_retry_delay_ms(&retry, attempt, &random);
        if (options->on_retry != NULL)
            options->on_retry(options->context, attempt, error, delay_ms);
        pause_for(delay_ms);
    }
    if (ret_result != NULL)
        *ret_result = (pgconvoy_retry_result){attempt, clock_now_ms(&SYSTEM_CLOCK) - started_ms};
    return true;
}
