/* Call: what every call of the library has around its work: the request, the caller's callbacks behind one
 * lock, and the error.
 *
 * A call has a fleet of its own in the calling thread, so that calls of one migrator are independent runs.
 */
#pragma once
#include "coordinator/fleet.h"
#include "coordinator/pgconvoy/migrator.h"
#include <pthread.h>

struct pgconvoy_migrator {
    Config *config;
    char *(*schema_name)(void *context, const char *tenant_id, pgconvoy_error *error);
    bool (*discover)(void *context, pgconvoy_texts *ret_ids, pgconvoy_error *error);
    void *context; /* of these two */
    pgconvoy_hooks hooks;
    pgconvoy_hooks shared_hooks;
};

typedef struct Call {
    const pgconvoy_migrator *migrator;
    pgconvoy_run_options options;
    Error *error; /* the caller's, or ... */
    Error unwanted;
    FleetRequest fleet;      /* its host is the call */
    HostCallbacks callbacks; /* for the hosted worker: they lead back here */
    pthread_mutex_t mutex;   /* one callback of the caller's at a time */
    bool shared;             /* the shared schema is worked on: callbacks have NULL for a tenant */
    bool tells_migrations;   /* on_progress hears of "migrating" alone */
    pgconvoy_seed *seed, *shared_seed;
    void *seed_context;
    TextList ids; /* the caller's texts */
    char *one[1];
    Bundle files;
} Call;

/* False with an error when the arguments make no sense. The call must not move; call_end() is due in any
 * case. `options` and `error` may be NULL. */
bool call_begin(Call *call, const pgconvoy_migrator *migrator, const pgconvoy_run_options *options,
                Error *error) MUST_CHECK;
bool call_end(Call *call, bool ok); /* returns ok */

/* Refuses workers elsewhere when there are callbacks that only a worker in this process can call: of every
 * kind with `hooks`, else on_progress and the seed. */
bool call_needs_host(const Call *call, bool hooks) MUST_CHECK;

/* Says who it is about, instead of everybody who is discovered. */
bool call_name(Call *call, const char *const *tenant_ids, size_t count) MUST_CHECK;
bool call_name_one(Call *call, const char *tenant_id) MUST_CHECK;

/* Says what fills a tenant and the shared schema; one of them may be NULL. */
bool call_seed(Call *call, pgconvoy_seed *fill, pgconvoy_seed *shared_fill, void *context) MUST_CHECK;

/* Says which files it is about; NULL = the folder's. */
bool call_give_files(Call *call, const pgconvoy_migrations *migrations) MUST_CHECK;

/* Asks on_error about a tenant that failed; true = abort. */
bool call_says_abort(Call *call, const char *tenant_id, const char *message);

/* Tells on_progress. */
bool call_progress(Call *call, const char *tenant_id, const char *status, Error *error) MUST_CHECK;
