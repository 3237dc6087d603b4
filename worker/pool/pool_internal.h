/* The pool manager's own structures, for the files of worker/pool alone.
 *
 * One mutex guards all of it; functions marked "mutex held" want it held, all others not held. A pool is
 * alive while it has references: the manager's while it is registered, one for each handle, lent connection
 * and undelivered event. The manager is alive while its owner, a pool or a thread refers to it.
 */
#pragma once
#include "worker/pg/deadline.h"
#include "worker/pg/reservoir.h"
#include "worker/pool/lru.h"
#include "worker/pool/pool_manager.h"
#include <pthread.h>

typedef enum PoolerMode {
    POOLER_UNKNOWN,
    POOLER_NONE,        /* the server itself */
    POOLER_SESSION,     /* a pooler is there, and nothing speaks for transaction mode */
    POOLER_TRANSACTION, /* proven: pools refuse to lend */
} PoolerMode;

/* One configured database. */
typedef struct PoolSource {
    char *name;
    Reservoir *reservoir;
    TenantPool *shared; /* NULL until asked for */
    PoolerMode mode;
    bool probing;
    pthread_cond_t probed;
} PoolSource;

typedef enum PoolEventKind { POOL_CREATED, POOL_EVICTED, POOL_ERROR, POOL_RETRY } PoolEventKind;

/* A hook to be called. Created and evicted are members of their pool, so that they cannot fail. */
typedef struct PoolEvent {
    PoolEventKind kind;
    TenantPool *pool;
    Error error;               /* POOL_ERROR, POOL_RETRY */
    int64_t attempt, delay_ms; /* POOL_RETRY */
    struct PoolEvent *prev, *next;
} PoolEvent;

/* A lent connection and what to find again when it returns. */
typedef struct Loan {
    Connection *connection;
    int64_t backend; /* process id that answered first */
    pthread_t borrower;
    struct Loan *prev, *next;
} Loan;

/* A caller that waits for its pool's turn; lives on its stack. */
typedef struct Turn {
    pthread_cond_t changed;
    bool granted;
    struct Turn *prev, *next;
} Turn;

/* Which database, then the id: bytes, as a key of the registry. */
enum { POOL_KEY_MAX = sizeof(size_t) + 255 /* the longest id */ };

struct pgconvoy_db {
    LruNode node; /* first member: an LruNode of the manager's is its pool */
    uint64_t id;  /* the owner of its connections in the reservoir */
    PoolManager *manager;
    PoolSource *source;
    char *tenant_id; /* NULL for the shared one */
    char *schema;
    char *search_path;
    char key[POOL_KEY_MAX];
    size_t references;
    int64_t lent; /* includes those being bound */
    int64_t waiting;
    Turn *turns;
    Loan *loans;
    PoolEvent created, evicted;
    TenantPool *alive_prev, *alive_next;
};

/* A validation in progress that others may join. */
typedef struct Validation {
    const PoolSource *source;
    const char *tenant_id; /* NULL for the shared pool */
    size_t followers;
    bool done;
    Error error;
    pthread_cond_t finished;
    struct Validation *prev, *next;
} Validation;

typedef struct Cleaner Cleaner;

struct pgconvoy_pool_manager {
    pthread_mutex_t mutex;
    PoolManagerOptions options; /* texts are owned */
    PoolSource *sources;
    size_t source_count;
    size_t references;
    Lru pools;
    TenantPool *alive; /* registered or not */
    uint64_t last_id;
    bool disposed;
    pthread_cond_t disposing; /* ends pauses between attempts */
    pthread_cond_t returned;  /* a loan has ended after disposing */
    Validation *validations;
    PoolEvent *events;
    bool delivering;
    pthread_t deliverer;
    pthread_cond_t delivered;
    Cleaner *cleaner;
    uint64_t random;
};

/* pool_manager.c */
bool pool_manager_disposed_error(Error *error);
PoolSource *pool_source_find(PoolManager *manager, const char *database, Error *error) MUST_CHECK;
/* Length of the key, 0 when no tenant has such an id. */
size_t pool_key(const PoolManager *manager, const PoolSource *source, const char *tenant_id,
                char ret_key[POOL_KEY_MAX]);
TenantPool *pool_find(PoolManager *manager, const PoolSource *source, const char *tenant_id); /* mutex held */
void pool_evict(TenantPool *pool); /* mutex held; deliver events afterwards */
/* Takes over the reference. Registers the new pool unless another one was first; returns the registered one
 * with a reference for the caller, or NULL (disposed, memory). */
TenantPool *pool_register(TenantPool *pool, Error *error) MUST_CHECK;
void pool_manager_unref(PoolManager *manager);
const char *pool_database_label(const PoolManager *manager, const PoolSource *source); /* NULL if only one */

/* tenant_pool.c */
TenantPool *pool_new(PoolManager *manager, PoolSource *source, const char *tenant_id,
                     Error *error) MUST_CHECK;
int64_t pool_now_ms(const PoolManager *manager);
/* Borrows a connection and returns it. try_anyway: connects even right after a failure. */
bool pool_ping(TenantPool *pool, int64_t timeout_ms, bool try_anyway, Error *error) MUST_CHECK;
PoolConnections pool_connections(TenantPool *pool);

/* pool_pooler.c: fails when the source is known to pool transactions, or could not be asked. */
bool pool_source_check(PoolManager *manager, PoolSource *source, const ReservoirRequest *request,
                       Error *error) MUST_CHECK;

/* pool_events.c */
void pool_event_push(PoolEvent *event);                 /* mutex held */
void pool_report_error(TenantPool *pool, Error *error); /* takes the error's content; delivers nothing yet */
void pool_report_retry(TenantPool *pool, int64_t attempt, const Error *error,
                       int64_t delay_ms); /* as above */
void pool_events_deliver(PoolManager *manager);
void pool_events_wait(PoolManager *manager); /* until nothing is queued or running, unless called by a hook */
