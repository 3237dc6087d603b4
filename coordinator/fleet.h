/* Fleet: what every command that goes to the tenants shares: who, with whom, and running an operation over
 * them.
 *
 * fleet_open() gathers workers (one hosted in this process unless the request names others), fleet_list()
 * says which tenants it is about, fleet_run_phase() runs one phase, fleet_operate() one operation with all
 * its results, fleet_close() says goodbye. One thread; callbacks come from these calls.
 */
#pragma once
#include "common/config.h"
#include "common/host_callbacks.h"
#include "common/tenant.h"
#include "coordinator/dispatcher.h"

typedef enum FleetStep {
    STEP_GATHER,
    STEP_SHARED,
    STEP_DISCOVER,
    STEP_PARSE,
    STEP_PLAN,
    STEP_APPLY,
    STEP_DONE
} FleetStep;

typedef struct FleetRequest {
    const Config *config; /* must outlive the fleet, like everything here */
    /* Who: an explicit list (kept in order, duplicates too) or everybody the configuration discovers. */
    const char *tenant;       /* one, "a,b" is its id: "id", "db/id" or NULL */
    const char *tenants;      /* "a,b,db/c" or NULL */
    const char *tenants_file; /* path or "-" or NULL */
    const char *exclude;      /* like tenants */
    const char *exclude_file;
    size_t limit; /* 0 = all */
    bool shared;  /* not the tenants, but the shared schema of every database; the above is not looked at */
    /* A host that knows its tenants itself. Then, and with refuse_alone, what is wrong with one tenant's name
     * is that tenant's failure and not everybody's. */
    const TextList *ids; /* an explicit list, each "id" or "db/id"; NULL = none */
    bool (*discover)(void *host, TextList *ret_ids, Error *error);         /* instead of the configuration */
    char *(*schema_name)(void *host, const char *tenant_id, Error *error); /* instead of the template */
    bool refuse_alone;
    bool go_on_alike; /* however many of the first tenants fail alike */
    /* About which files. */
    const Bundle *files;    /* instead of the folder's; NULL = the folder's */
    bool allow_no_files;    /* an empty folder is fine */
    bool folder_per_tenant; /* a folder that cannot be read is every tenant's failure */
    int64_t concurrency;    /* 0 = as configured */
    /* With whom. */
    const TextList *workers; /* endpoints of listening workers */
    const char *listen;      /* endpoint for workers that connect, or NULL */
    bool plain;
    const HostCallbacks *hooks; /* C callbacks for the hosted worker, or NULL; remote ones cannot call them */

    /* All may be NULL. */
    Request (*poll_host)(void *host);
    int interrupt_fd; /* -1 = none */
    void (*on_step)(void *host, FleetStep step, size_t tenants);
    void (*on_progress)(void *host, const EngineTotals *totals);
    void (*on_warning)(void *host, const char *text);
    void *host;
} FleetRequest;

struct Worker;

typedef struct Fleet {
    const FleetRequest *request;
    RunOptions options; /* as configured; texts belong to the configuration */
    bool shared;        /* what follows is about the shared schema */
    Dispatcher *dispatcher;
    WireContext *context;
    struct Worker *hosted;
    int64_t started_ms, deadline_ms; /* deadline INT64_MAX = none */
    const char *refusal;             /* of every tenant that is listed; NULL = none */

    /* What has become of the phases so far. */
    bool past_deadline;
    bool aborted, cancelled;
    bool aborted_by_policy; /* on_failed or a failure limit; else the operator or the deadline */
} Fleet;

/* The migrations that a request is about. */
typedef struct FleetFiles {
    const Bundle *bundle; /* the request's, or ... */
    Bundle loaded;        /* ... the folder's */
    char *refusal;        /* why there are none, with folder_per_tenant: for Fleet.refusal */
} FleetFiles;

/* Of the tenants or the shared schema; warns of what is odd in the folder. fleet_files_clear() is due even
 * when this fails; *ret_files must not move. */
bool fleet_load_files(const FleetRequest *request, bool shared, FleetFiles *ret_files,
                      Error *error) MUST_CHECK;

/* For what needs no migrations: an empty bundle, which a run has all the same. */
bool fleet_no_files(FleetFiles *ret_files, Error *error) MUST_CHECK;
void fleet_files_clear(FleetFiles *files);

/* `bundle` must outlive the fleet, and may be NULL until fleet_use(). fleet_close() is due even when this
 * fails. */
bool fleet_open(Fleet *fleet, const FleetRequest *request, const Bundle *bundle, Error *error) MUST_CHECK;
void fleet_close(Fleet *fleet);

/* From tenants to the shared schema or back: what follows has that one's options and these files, which must
 * outlive it. Several runs can follow one another over one fleet so. */
void fleet_use(Fleet *fleet, bool shared, const Bundle *bundle);

/* Databases that the workers reach. */
const TextList *fleet_databases(const Fleet *fleet);

/* Somebody wants to hear of every tenant that an operation goes to, also of those without work. */
bool fleet_wants_every_tenant(const Fleet *fleet, OperationId operation);

/* Tenants in flight as configured: 0 = the sum of all workers' slots, which in a rolling run over the hosted
 * worker are as many as are configured. */
int64_t fleet_concurrency(const FleetRequest *request);

/* What the configuration says about order and failures. */
EngineSchedule fleet_schedule(const FleetRequest *request);

/* Whether a tenant that failed with this SQLSTATE (or NULL) ends the run: with on_error abort always, and a
 * full disk when the operator did not say how failures are to be taken. */
bool fleet_aborts_on_error(const FleetRequest *request, const char *sqlstate);
int64_t fleet_max_failures(const FleetRequest *request, size_t tenants); /* -1 = no limit */

/* How many equal failures at the start end a run: a broken file must not be tried on a whole fleet, unless
 * the operator said how failures are to be taken (0). */
int64_t fleet_equal_failures(const FleetRequest *request);

/* What is said of a tenant whose outcome came without a result of its own; NULL for a success. */
const char *fleet_outcome_text(TenantState state, Outcome outcome);

void fleet_say_step(const FleetRequest *request, FleetStep step, size_t tenants);
void fleet_warn(const FleetRequest *request, const char *text);

/* Who the tenants are is asked of the databases, by the workers. */
bool fleet_discovers(const FleetRequest *request);

/* Fills an empty list; every tenant has a database and a checked schema afterwards. Runs a discover phase
 * when the configuration says so. The shared schema goes as a tenant SHARED_ID of every database. */
bool fleet_list(Fleet *fleet, TenantList *ret_list, Error *error) MUST_CHECK;

/* Runs a phase; its options may be NULL for the fleet's own. */
bool fleet_run_phase(Fleet *fleet, Phase *phase, PhaseOutcome *ret_outcome, Error *error) MUST_CHECK;

/* The same once per database, for operations of that shape: the phase's tenants are filled in, in the order
 * of fleet_databases(). */
bool fleet_run_databases(Fleet *fleet, Phase *phase, PhaseOutcome *ret_outcome, Error *error) MUST_CHECK;

/* One operation over a list, every tenant's best result kept. */
typedef struct FleetWork {
    OperationId operation;
    const RunOptions *options; /* NULL = the fleet's own */
    const TenantList *tenants;
    int64_t concurrency; /* 0 = the sum of all slots */
    EngineSchedule schedule;
    int64_t max_failures; /* -1 = no limit */
    /* Abort when the first so many finished tenants failed with the same key; 0 = never. The key is not 0. */
    int64_t equal_failures;
    uint64_t (*failure_key)(const void *record);
    bool (*on_failed)(void *host, size_t index, const void *record); /* true = abort; may be NULL */
    void *host;
} FleetWork;

typedef struct FleetResults {
    const RecordType *type;
    void *records; /* one per tenant of the list, in its order; all at rest where nothing was heard */
    size_t count;
    PhaseOutcome outcome; /* states, outcomes, attempts and totals */
} FleetResults;

/* Unfinished tenants stay at rest in *ret_results, which is filled even on failure. */
bool fleet_operate(Fleet *fleet, const FleetWork *work, FleetResults *ret_results, Error *error) MUST_CHECK;
void *fleet_result(const FleetResults *results, size_t index);
void fleet_results_clear(FleetResults *results);
