/* Is there a transaction-mode pooler between us and the server? (See pool_manager.h for what is detected.) */
#include "worker/pool/pool_internal.h"
#include "worker/pool/pool_session.h"

enum {
    SECOND_MS = 1000, /* for the second connection: a small session-mode pooler may have none to give */
};

/* Mode of a source whose first connection answers from a backend that it was not announced. */
static bool probe_pooler(PoolSource *source, const ReservoirRequest *request, Connection *first,
                         int64_t backend, PoolerMode *ret_mode, Error *error)
{
    Error ignored ERROR_CLEANUP = {0};
    ReservoirRequest another = *request;
    another.wait_ms = SECOND_MS;
    another.owner = 0;
    *ret_mode = POOLER_SESSION;
    Connection *second = reservoir_acquire_for(source->reservoir, &another, &ignored);
    if (second == NULL)
        return true;
    int64_t held = 0, again = backend;
    bool good = true;
    if (session_backend(second, true, deadline_after_ms(SECOND_MS), &held, &ignored) && held != backend)
        good = session_backend(first, false, deadline_after_ms(request->wait_ms), &again, error);
    if (held == backend || again != backend)
        *ret_mode = POOLER_TRANSACTION;
    if (PQtransactionStatus(connection_pg(second)) == PQTRANS_INTRANS)
        (void)!session_run(second, "ROLLBACK", 0, NULL, deadline_after_ms(SECOND_MS), NULL, &ignored);
    reservoir_release(source->reservoir, second, 0);
    return good;
}

static bool probe(PoolSource *source, const ReservoirRequest *request, PoolerMode *ret_mode, Error *error)
{
    Connection *first = reservoir_acquire_for(source->reservoir, request, error);
    if (first == NULL)
        return false;
    int64_t backend = 0;
    bool good = session_backend(first, false, deadline_after_ms(request->wait_ms), &backend, error);
    if (good && session_is_pooled(first, backend))
        good = probe_pooler(source, request, first, backend, ret_mode, error);
    else if (good)
        *ret_mode = POOLER_NONE;
    reservoir_release(source->reservoir, first, 0);
    return good;
}

static bool refuse(const PoolSource *source, Error *error)
{
    error_set(error, ERROR_CONFIG, "database \"%s\" is behind a pooler in transaction mode", source->name);
    error_set_detail(error, "tenant pools need sessions that last longer than a transaction");
    error_set_hint(error, "connect to the server itself, or to a pooler in session mode");
    return false;
}

bool pool_source_check(PoolManager *manager, PoolSource *source, const ReservoirRequest *request,
                       Error *error)
{
    pthread_mutex_lock(&manager->mutex);
    while (source->probing) /* the one that probes needs two connections: nobody takes any meanwhile */
        pthread_cond_wait(&source->probed, &manager->mutex);
    PoolerMode mode = source->mode;
    source->probing = mode == POOLER_UNKNOWN;
    pthread_mutex_unlock(&manager->mutex);
    if (mode != POOLER_UNKNOWN)
        return mode != POOLER_TRANSACTION || refuse(source, error);
    bool good = probe(source, request, &mode, error);
    pthread_mutex_lock(&manager->mutex);
    source->probing = false;
    if (good)
        source->mode = mode;
    pthread_cond_broadcast(&source->probed);
    pthread_mutex_unlock(&manager->mutex);
    return good && (mode != POOLER_TRANSACTION || refuse(source, error));
}
