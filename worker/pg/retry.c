/* Which errors are worth another attempt, and how long to wait before it. */
#include "worker/pg/connection.h"
#include <string.h>

/* A prefix of the SQLSTATE; the first row that fits decides. */
static const struct {
    const char *prefix;
    RetryClass class;
} CLASSES[] = {
    {"40001", RETRY_TRANSIENT}, /* serialization_failure */
    {"40P01", RETRY_TRANSIENT}, /* deadlock_detected */
    {"55P03", RETRY_LOCK},      /* lock_not_available */
    {"57P01", RETRY_TRANSIENT}, /* admin_shutdown */
    {"57P02", RETRY_TRANSIENT}, /* crash_shutdown */
    {"57P03", RETRY_TRANSIENT}, /* cannot_connect_now */
    {"57P05", RETRY_TRANSIENT}, /* idle_session_timeout */
    {"53300", RETRY_TRANSIENT}, /* too_many_connections */
    {"25P03", RETRY_TRANSIENT}, /* idle_in_transaction_session_timeout */
    {"08", RETRY_TRANSIENT},    /* connection_exception */
};

RetryClass error_retry_class(const Error *error)
{
    if (error->code != ERROR_CONNECT && error->code != ERROR_SERVER)
        return RETRY_NEVER;
    if (error->sqlstate[0] == '\0')
        return error->code == ERROR_CONNECT ? RETRY_TRANSIENT : RETRY_NEVER;
    for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++)
        if (strncmp(error->sqlstate, CLASSES[i].prefix, strlen(CLASSES[i].prefix)) == 0)
            return CLASSES[i].class;
    return RETRY_NEVER;
}

/* splitmix64: enough to keep many workers from retrying in step. */
static uint64_t random_next(uint64_t *seed)
{
    uint64_t mixed = *seed += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

int64_t retry_delay_ms(int64_t attempt, int64_t initial_ms, int64_t max_ms, uint64_t *seed)
{
    if (initial_ms <= 0 || max_ms <= 0)
        return 0;
    if (max_ms > INT64_MAX / 2)
        max_ms = INT64_MAX / 2; /* room for the jitter */
    int64_t delay = initial_ms;
    for (int64_t i = 2; i < attempt && delay < max_ms; i++)
        delay = delay > max_ms / 2 ? max_ms : delay * 2;
    if (delay > max_ms)
        delay = max_ms;
    return delay + (int64_t)(random_next(seed) % (uint64_t)(delay / 4 + 1));
}
