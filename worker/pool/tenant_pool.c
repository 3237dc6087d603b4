/* One tenant's pool: its turn, its loans, and the session between them. */
#include "common/buffer.h"
#include "worker/pool/pool_internal.h"
#include "worker/pool/pool_session.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

int64_t pool_now_ms(const PoolManager *manager)
{
    return clock_now_ms(manager->options.clock);
}

static void pool_free(TenantPool *pool)
{
    free(pool->tenant_id);
    free(pool->schema);
    free(pool->search_path);
    free(pool);
}

/* The server reads the name as it stands without quotes too: nothing to fold, nothing that ends it. */
static bool reads_without_quotes(const char *schema)
{
    for (const char *c = schema; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || (*c >= 'A' && *c <= 'Z') || *c == '"' || *c == ',')
            return false;
    return true;
}

/* `schema,public`, as programs of a tenant may look at it, quoted where that changes what it says; the shared
 * pool's without a schema of its own in front. */
static char *search_path_of(const char *schema)
{
    char *name = reads_without_quotes(schema) ? strdup(schema) : quote_identifier(schema);
    if (name == NULL)
        return NULL;
    Buffer text = {0};
    buffer_append_text(&text, name);
    if (strcmp(schema, SHARED_SCHEMA) != 0)
        buffer_append_text(&text, ",public");
    free(name);
    return buffer_take(&text);
}

TenantPool *pool_new(PoolManager *manager, PoolSource *source, const char *tenant_id, Error *error)
{
    char *schema =
        tenant_id == NULL ? strdup(SHARED_SCHEMA) : pool_manager_schema_name(manager, tenant_id, error);
    if (schema == NULL) {
        if (tenant_id == NULL)
            error_memory(error);
        return NULL;
    }
    TenantPool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        free(schema);
        error_memory(error);
        return NULL;
    }
    pool->schema = schema;
    pool->source = source;
    pool->search_path = search_path_of(schema);
    pool->tenant_id = tenant_id != NULL ? strdup(tenant_id) : NULL;
    if (pool->search_path == NULL || (tenant_id != NULL && pool->tenant_id == NULL)) {
        pool_free(pool);
        error_memory(error);
        return NULL;
    }
    pool->node.key = pool->key;
    pool->node.key_length = tenant_id != NULL ? pool_key(manager, source, tenant_id, pool->key) : 0;
    pool->created = (PoolEvent){.kind = POOL_CREATED, .pool = pool};
    pool->evicted = (PoolEvent){.kind = POOL_EVICTED, .pool = pool};
    pool->references = 1;
    pool->manager = manager;
    pthread_mutex_lock(&manager->mutex);
    manager->references++;
    pool->id = ++manager->last_id;
    DL_APPEND2(manager->alive, pool, alive_prev, alive_next);
    pthread_mutex_unlock(&manager->mutex);
    return pool;
}

void tenant_pool_unref(TenantPool *pool)
{
    if (pool == NULL)
        return;
    PoolManager *manager = pool->manager;
    pthread_mutex_lock(&manager->mutex);
    bool last = --pool->references == 0;
    if (last)
        DL_DELETE2(manager->alive, pool, alive_prev, alive_next);
    pthread_mutex_unlock(&manager->mutex);
    if (!last)
        return;
    pool_free(pool);
    pool_manager_unref(manager);
}

const char *tenant_pool_tenant_id(const TenantPool *pool)
{
    return pool->tenant_id;
}

const char *tenant_pool_schema(const TenantPool *pool)
{
    return pool->schema;
}

/* Mutex held. Waits in the pool's own queue, first come first served. */
static bool wait_for_turn(TenantPool *pool, Deadline deadline)
{
    PoolManager *manager = pool->manager;
    Turn turn = {.granted = false};
    pthread_cond_init(&turn.changed, NULL);
    DL_APPEND(pool->turns, &turn);
    pool->waiting++;
    while (!turn.granted && !manager->disposed && deadline_left_ms(deadline) > 0)
        deadline_wait(deadline, &turn.changed, &manager->mutex);
    if (!turn.granted) {
        DL_DELETE(pool->turns, &turn);
        pool->waiting--;
    }
    pthread_cond_destroy(&turn.changed);
    return turn.granted;
}

static bool take_turn(TenantPool *pool, int64_t wait_ms, Deadline deadline, Error *error)
{
    PoolManager *manager = pool->manager;
    pthread_mutex_lock(&manager->mutex);
    bool free_now =
        !manager->disposed && pool->turns == NULL && pool->lent < manager->options.max_connections;
    if (free_now)
        pool->lent++;
    bool good = free_now || (!manager->disposed && wait_for_turn(pool, deadline));
    if (good)
        pool->references++;
    bool disposed = manager->disposed;
    pthread_mutex_unlock(&manager->mutex);
    if (good)
        return true;
    if (disposed)
        return pool_manager_disposed_error(error);
    error_set(error, ERROR_CONNECT, "no connection of this tenant's pool became free within %lld ms",
              (long long)wait_ms);
    error_set_detail(error, "all %lld are lent", (long long)manager->options.max_connections);
    return false;
}

static void end_turn(TenantPool *pool)
{
    pthread_mutex_lock(&pool->manager->mutex);
    Turn *turn = pool->turns;
    if (turn != NULL) { /* the turn goes on as it is, so `lent` stays */
        DL_DELETE(pool->turns, turn);
        pool->waiting--;
        turn->granted = true;
        pthread_cond_signal(&turn->changed);
    } else {
        pool->lent--;
        if (pool->manager->disposed)
            pthread_cond_broadcast(&pool->manager->returned);
    }
    pthread_mutex_unlock(&pool->manager->mutex);
    tenant_pool_unref(pool);
}

/* Mutex not held. Remembers what the backends of a connection told about who is between. */
static void learn_mode(TenantPool *pool, Connection *connection, int64_t started, int64_t ended)
{
    PoolManager *manager = pool->manager;
    PoolSource *source = pool->source;
    pthread_mutex_lock(&manager->mutex);
    /* Not so when the user made libpq connect anew: then the backend is the announced one again. */
    bool moved = ended != 0 && ended != started && session_is_pooled(connection, ended);
    if (moved)
        source->mode = POOLER_TRANSACTION;
    else if (source->mode == POOLER_NONE && session_is_pooled(connection, started))
        source->mode = POOLER_UNKNOWN; /* the address leads to something else now */
    pthread_mutex_unlock(&manager->mutex);
    if (!moved)
        return;
    Error error ERROR_CLEANUP = {0};
    error_set(&error, ERROR_CONFIG, "database \"%s\" is behind a pooler in transaction mode", source->name);
    error_set_detail(&error, "a session began on backend %lld and ended on %lld", (long long)started,
                     (long long)ended);
    error_set_hint(&error, "connect to the server itself, or to a pooler in session mode");
    pool_report_error(pool, &error);
}

/* Cleans and returns to the reservoir; what cannot be cleaned is closed there. */
static void give_back(TenantPool *pool, Connection *connection, int64_t backend)
{
    Error error ERROR_CLEANUP = {0};
    int64_t ended = 0;
    Deadline deadline = deadline_after_ms(pool->manager->options.connect_timeout_ms);
    bool was_usable = PQstatus(connection_pg(connection)) == CONNECTION_OK;
    bool clean = session_clean(connection, deadline, &ended, &error);
    if (clean && backend != 0)
        learn_mode(pool, connection, backend, ended);
    if (!clean && was_usable)
        pool_report_error(pool, &error);
    if (clean)
        reservoir_release(pool->source->reservoir, connection, 1);
    else
        reservoir_discard(pool->source->reservoir, connection);
}

static Connection *bind_one(TenantPool *pool, const ReservoirRequest *request, Deadline deadline,
                            int64_t *ret_backend, Error *error)
{
    PoolManager *manager = pool->manager;
    if (!pool_source_check(manager, pool->source, request, error))
        return NULL;
    ReservoirRequest rest = *request;
    rest.wait_ms = deadline_left_ms(deadline) > 0 ? deadline_left_ms(deadline) : 1;
    Connection *connection = reservoir_acquire_for(pool->source->reservoir, &rest, error);
    if (connection == NULL)
        return NULL;
    /* Whoever got a connection late still has the time that an answer may take. */
    int64_t left = deadline_left_ms(deadline), least = request->wait_ms / 2;
    Deadline answer = deadline_after_ms(left > least ? left : least);
    if (session_bind(connection, pool->schema, pool->search_path, answer, ret_backend, error))
        return connection;
    give_back(pool, connection, 0);
    return NULL;
}

static Connection *acquire(TenantPool *pool, int64_t wait_ms, bool try_anyway, Error *error)
{
    PoolManager *manager = pool->manager;
    if (wait_ms <= 0)
        wait_ms = manager->options.connect_timeout_ms;
    Deadline deadline = deadline_after_ms(wait_ms);
    ReservoirRequest request = {.application_name = manager->options.application_name,
                                .wait_ms = wait_ms,
                                .owner = pool->id,
                                .try_anyway = try_anyway};
    Loan *loan = calloc(1, sizeof *loan);
    if (loan == NULL) {
        error_memory(error);
        return NULL;
    }
    bool turn = take_turn(pool, wait_ms, deadline, error);
    loan->connection = turn ? bind_one(pool, &request, deadline, &loan->backend, error) : NULL;
    if (loan->connection == NULL) {
        if (turn)
            end_turn(pool);
        free(loan);
        return NULL;
    }
    pthread_mutex_lock(&manager->mutex);
    bool disposed = manager->disposed;
    loan->borrower = pthread_self();
    if (!disposed)
        DL_APPEND(pool->loans, loan);
    pthread_mutex_unlock(&manager->mutex);
    Connection *connection = loan->connection;
    if (!disposed)
        return connection;
    give_back(pool, connection, loan->backend);
    free(loan);
    end_turn(pool);
    pool_manager_disposed_error(error);
    return NULL;
}

static Connection *acquire_or_say_why(TenantPool *pool, int64_t wait_ms, bool try_anyway, Error *error)
{
    Error failure ERROR_CLEANUP = {0};
    Connection *connection = acquire(pool, wait_ms, try_anyway, &failure);
    if (connection != NULL)
        return connection;
    pthread_mutex_lock(&pool->manager->mutex);
    bool disposed = pool->manager->disposed; /* then a closed reservoir is only the messenger */
    pthread_mutex_unlock(&pool->manager->mutex);
    if (disposed)
        pool_manager_disposed_error(&failure);
    else if (pool->tenant_id != NULL && failure.tenant == NULL)
        failure.tenant = strdup(pool->tenant_id);
    error_move(error, &failure);
    return NULL;
}

Connection *tenant_pool_acquire(TenantPool *pool, int64_t wait_ms, Error *error)
{
    Connection *connection = acquire_or_say_why(pool, wait_ms, false, error);
    pool_events_deliver(pool->manager);
    return connection;
}

void tenant_pool_release(TenantPool *pool, Connection *connection)
{
    if (connection == NULL)
        return;
    PoolManager *manager = pool->manager;
    pthread_mutex_lock(&manager->mutex);
    Loan *loan;
    DL_SEARCH_SCALAR(pool->loans, loan, connection, connection);
    if (loan != NULL)
        DL_DELETE(pool->loans, loan);
    manager->references++; /* the loan may be the last that holds pool and manager */
    pthread_mutex_unlock(&manager->mutex);
    if (loan != NULL) {
        give_back(pool, connection, loan->backend);
        free(loan);
        pool_events_deliver(manager);
        end_turn(pool);
    }
    pool_manager_unref(manager);
}

bool pool_ping(TenantPool *pool, int64_t timeout_ms, bool try_anyway, Error *error)
{
    /* Binding is a round trip, and the first use of whatever the reservoir had. */
    Connection *connection = acquire_or_say_why(pool, timeout_ms, try_anyway, error);
    tenant_pool_release(pool, connection);
    return connection != NULL;
}

PoolConnections pool_connections(TenantPool *pool)
{
    int64_t idle = reservoir_idle_of(pool->source->reservoir, pool->id);
    pthread_mutex_lock(&pool->manager->mutex);
    PoolConnections connections = {.total = pool->lent + idle, .idle = idle, .waiting = pool->waiting};
    pthread_mutex_unlock(&pool->manager->mutex);
    return connections;
}
