#include "coordinator/fleet.h"
#include "common/clock.h"
#include "coordinator/fleet_tenants.h"
#include "worker/worker.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOSTED_CONCURRENCY = 10,
    HOSTED_WAIT_MS = 5000, /* no other worker comes in the place of a hosted one that broke */
    EQUAL_FAILURES = 20,
};

void fleet_say_step(const FleetRequest *request, FleetStep step, size_t tenants)
{
    if (request->on_step != NULL)
        request->on_step(request->host, step, tenants);
}

void fleet_warn(const FleetRequest *request, const char *text)
{
    if (request->on_warning != NULL)
        request->on_warning(request->host, text);
}

/* Dispatcher's glance at the outside world: the operator's wish, then the deadline. */
static Request poll_host(void *host)
{
    Fleet *fleet = host;
    const FleetRequest *request = fleet->request;
    Request wish = request->poll_host != NULL ? request->poll_host(request->host) : REQUEST_NONE;
    if (wish != REQUEST_NONE)
        return wish;
    fleet->past_deadline = clock_now_ms(&SYSTEM_CLOCK) >= fleet->deadline_ms;
    return fleet->past_deadline ? REQUEST_ABORT : REQUEST_NONE;
}

static void report_progress(void *host, const Engine *engine)
{
    const FleetRequest *request = ((Fleet *)host)->request;
    EngineTotals totals = engine_progress(engine);
    if (request->on_progress != NULL)
        request->on_progress(request->host, &totals);
}

static RunOptions configured_options(const Config *config, bool shared)
{
    return (RunOptions){
        .shared = shared,
        .migrations_table =
            (char *)config_text(config, shared ? SETTING_SHARED_TABLE : SETTING_MIGRATIONS_TABLE),
        .format = (char *)config_text(config, shared ? SETTING_SHARED_FORMAT : SETTING_MIGRATIONS_FORMAT),
        .default_format = (char *)config_text(config, shared ? SETTING_SHARED_DEFAULT_FORMAT
                                                             : SETTING_MIGRATIONS_DEFAULT_FORMAT),
        .lock_timeout_ms = config_int(config, SETTING_RUN_LOCK_TIMEOUT_MS),
        .lock_attempts = config_int(config, SETTING_RUN_LOCK_ATTEMPTS),
        .lock_wait_ms = config_int(config, SETTING_RUN_LOCK_WAIT_MS),
        .statement_timeout_ms = config_int(config, SETTING_RUN_STATEMENT_TIMEOUT_MS),
        .set_lock_timeout_ms = config_int(config, SETTING_RUN_SET_LOCK_TIMEOUT_MS),
        .retry_max_attempts = config_int(config, SETTING_RETRY_MAX_ATTEMPTS),
        .retry_initial_delay_ms = config_int(config, SETTING_RETRY_INITIAL_DELAY_MS),
        .retry_max_delay_ms = config_int(config, SETTING_RETRY_MAX_DELAY_MS),
        .connect_timeout_ms = config_int(config, SETTING_POOLS_CONNECT_TIMEOUT_MS),
        .strict = config_bool(config, SETTING_RUN_STRICT),
    };
}

static bool is_hosted(const FleetRequest *request)
{
    return request->listen == NULL && request->workers->count == 0;
}

/* Tenants worked on at once; 0 = as many as the workers have slots. */
static int64_t wanted_at_once(const FleetRequest *request)
{
    int64_t configured = config_int(request->config, SETTING_RUN_CONCURRENCY);
    if (request->concurrency > 0)
        return request->concurrency;
    if (config_source(request->config, SETTING_RUN_CONCURRENCY) != SOURCE_DEFAULT && configured > 0)
        return configured;
    return is_hosted(request) ? HOSTED_CONCURRENCY : 0;
}

/* The hosted worker has as many slots as tenants are to be worked on at once. Without a barrier between them
 * the slots are limit enough, and tenants that wait in front of them keep them from idling. */
int64_t fleet_concurrency(const FleetRequest *request)
{
    return is_hosted(request) && fleet_schedule(request) == ENGINE_ROLLING ? 0 : wanted_at_once(request);
}

EngineSchedule fleet_schedule(const FleetRequest *request)
{
    bool rolling = strcmp(config_text(request->config, SETTING_RUN_SCHEDULE), "rolling") == 0;
    return rolling ? ENGINE_ROLLING : ENGINE_BATCH;
}

/* A full disk is the server's condition, not the tenant's: whoever comes next meets it as well, and every try
 * takes room from the tenants that are in use. */
static bool is_server_full(const char *sqlstate)
{
    return sqlstate != NULL && strcmp(sqlstate, "53100") == 0;
}

bool fleet_aborts_on_error(const FleetRequest *request, const char *sqlstate)
{
    return strcmp(config_text(request->config, SETTING_RUN_ON_ERROR), "abort") == 0 ||
           (is_server_full(sqlstate) && fleet_equal_failures(request) > 0);
}

/* "N", "P%" or "". */
int64_t fleet_max_failures(const FleetRequest *request, size_t tenants)
{
    const char *text = config_text(request->config, SETTING_RUN_MAX_FAILURES);
    if (text[0] == '\0')
        return -1;
    int64_t number = strtoll(text, NULL, 10);
    if (number == 0)
        return -1;
    /* The engine aborts on more than its limit: the Nth failure is one too many, P percent are not yet. */
    return strchr(text, '%') != NULL ? (int64_t)tenants * number / 100 : number - 1;
}

int64_t fleet_equal_failures(const FleetRequest *request)
{
    bool says_how = config_source(request->config, SETTING_RUN_ON_ERROR) != SOURCE_DEFAULT ||
                    config_source(request->config, SETTING_RUN_MAX_FAILURES) != SOURCE_DEFAULT;
    return says_how || request->go_on_alike ? 0 : EQUAL_FAILURES;
}

const char *fleet_outcome_text(TenantState state, Outcome outcome)
{
    static const char *const TEXTS[OUTCOME_COUNT] = {
        [OUTCOME_ERROR] = "the worker sent no result",
        [OUTCOME_UNKNOWN] =
            "the worker was lost while it worked on this tenant; a rerun tells what was committed",
        [OUTCOME_BUSY] = "another run holds this tenant's lock",
        [OUTCOME_QUARANTINED] = "three workers died while they worked on this tenant",
        [OUTCOME_CANCELLED] = "cancelled",
        [OUTCOME_NO_SCHEMA] = "the tenant's schema does not exist",
    };
    if (state == TENANT_SUCCEEDED)
        return NULL;
    if (state == TENANT_SKIPPED || state == TENANT_PENDING)
        return "Skipped due to abort";
    return TEXTS[outcome] != NULL ? TEXTS[outcome] : "failed";
}

static bool host_worker(Fleet *fleet, const char *endpoint, Error *error)
{
    size_t databases = 0;
    config_databases(fleet->request->config, &databases);
    if (databases == 0) {
        error_set(error, ERROR_CONFIG, "no database is configured");
        error_set_hint(error,
                       "set DATABASE_URL, or `databases` in pgconvoy.yaml, or name workers with --listen or "
                       "--workers");
        return false;
    }
    fleet->hosted = worker_start(&(WorkerOptions){.config = fleet->request->config,
                                                  .context = fleet->context,
                                                  .slots = wanted_at_once(fleet->request),
                                                  .coordinators = &endpoint,
                                                  .coordinator_count = 1,
                                                  .hooks = fleet->request->hooks},
                                 error);
    return fleet->hosted != NULL;
}

/* Hooks run where the migrations run, and are never sent there. */
static void warn_of_idle_hooks(const FleetRequest *request)
{
    for (SettingId id = SETTING_HOOKS_BEFORE_TENANT; id <= SETTING_HOOKS_AFTER_MIGRATION; id++) {
        if (config_list(request->config, id)->count == 0)
            continue;
        char text[160];
        snprintf(text, sizeof text,
                 "%s is ignored here: the workers run the hooks of their own configuration",
                 setting_get(id)->path);
        fleet_warn(request, text);
    }
}

bool fleet_open(Fleet *fleet, const FleetRequest *request, const Bundle *bundle, Error *error)
{
    static atomic_uint fleets; /* several of one process must not share an address */
    const Config *config = request->config;
    bool hosted = is_hosted(request);
    int64_t deadline_ms = config_int(config, SETTING_RUN_DEADLINE_MS);
    char inproc[48];
    snprintf(inproc, sizeof inproc, "inproc://pgconvoy-%u", atomic_fetch_add(&fleets, 1));
    const char *listen = hosted ? inproc : request->listen;
    *fleet = (Fleet){.request = request,
                     .options = configured_options(config, request->shared),
                     .shared = request->shared,
                     .started_ms = clock_now_ms(&SYSTEM_CLOCK)};
    fleet->deadline_ms = deadline_ms > 0 ? fleet->started_ms + deadline_ms : INT64_MAX;
    if (!hosted) {
        warn_of_idle_hooks(request);
        fleet_say_step(request, STEP_GATHER, 0);
    }
    if ((fleet->context = wire_context_new(error)) == NULL ||
        (!hosted && !wire_context_configure_keys(fleet->context, config, PEER_COORDINATOR, error)))
        return false;
    fleet->dispatcher = dispatcher_new(
        &(DispatcherOptions){
            .config = config,
            .context = fleet->context,
            .connect = (const char *const *)request->workers->items,
            .connect_count = request->workers->count,
            .listen = &listen,
            .listen_count = listen != NULL,
            .plain = request->plain,
            .bundle = bundle,
            .min_workers = hosted ? 1 : config_int(config, SETTING_COORDINATOR_MIN_WORKERS),
            .wait_ms = hosted ? HOSTED_WAIT_MS : config_int(config, SETTING_COORDINATOR_WAIT_MS),
            .poll_host = poll_host,
            .on_progress = report_progress,
            .interrupt_fd = request->interrupt_fd,
            .host = fleet,
        },
        error);
    return fleet->dispatcher != NULL && (!hosted || host_worker(fleet, inproc, error)) &&
           dispatcher_gather(fleet->dispatcher, error);
}

void fleet_close(Fleet *fleet)
{
    dispatcher_free(fleet->dispatcher);
    worker_free(fleet->hosted);
    wire_context_free(fleet->context);
    fleet->dispatcher = NULL;
    fleet->hosted = NULL;
    fleet->context = NULL;
}

void fleet_use(Fleet *fleet, bool shared, const Bundle *bundle)
{
    fleet->shared = shared;
    fleet->options = configured_options(fleet->request->config, shared);
    dispatcher_use_bundle(fleet->dispatcher, bundle);
}

const TextList *fleet_databases(const Fleet *fleet)
{
    return dispatcher_databases(fleet->dispatcher);
}

bool fleet_wants_every_tenant(const Fleet *fleet, OperationId operation)
{
    const HostCallbacks *hooks = fleet->request->hooks;
    if (operation == OPERATION_MIGRATE || operation == OPERATION_MARK_APPLIED)
        return dispatcher_has_tenant_hooks(fleet->dispatcher);
    return fleet->hosted != NULL && hooks != NULL && hooks->on_progress != NULL;
}

bool fleet_run_phase(Fleet *fleet, Phase *phase, PhaseOutcome *ret_outcome, Error *error)
{
    if (phase->options == NULL)
        phase->options = &fleet->options;
    bool ok = dispatcher_run(fleet->dispatcher, phase, ret_outcome, error);
    fleet->aborted |= ret_outcome->aborted;
    fleet->cancelled |= ret_outcome->cancelled;
    fleet->aborted_by_policy |= ret_outcome->aborted_by_policy;
    return ok;
}

bool fleet_run_databases(Fleet *fleet, Phase *phase, PhaseOutcome *ret_outcome, Error *error)
{
    const TextList *databases = fleet_databases(fleet);
    Tenant *targets = calloc(databases->count, sizeof *targets);
    const Tenant **pointers = calloc(databases->count, sizeof *pointers);
    bool ok = targets != NULL && pointers != NULL;
    for (size_t i = 0; ok && i < databases->count; i++) {
        targets[i] = (Tenant){.database = databases->items[i], .id = (char *)"", .schema = (char *)""};
        pointers[i] = &targets[i];
    }
    phase->tenants = pointers;
    phase->tenant_count = databases->count;
    ok = ok ? fleet_run_phase(fleet, phase, ret_outcome, error) : error_memory(error);
    free(pointers);
    free(targets);
    return ok;
}

/* A fleet_operate() in progress. */
typedef struct Operating {
    const FleetWork *work;
    FleetResults *results;
    TenantState *states; /* of the results kept */
} Operating;

void *fleet_result(const FleetResults *results, size_t index)
{
    return (char *)results->records + index * results->type->size;
}

/* A better state replaces what is kept; equal news replace it too, since a later attempt knows more. */
static uint64_t keep_best(void *host, uint32_t index, uint32_t attempt, Outcome outcome, void *record)
{
    (void)attempt;
    Operating *operating = host;
    const RecordType *type = operating->results->type;
    TenantState learned = outcome_state(outcome);
    if (tenant_state_merge(operating->states[index], learned) != learned)
        return 0;
    operating->states[index] = learned;
    void *kept = fleet_result(operating->results, index);
    record_clear(type, kept);
    memcpy(kept, record, type->size);
    memset(record, 0, type->size);
    const FleetWork *work = operating->work;
    return work->failure_key != NULL && learned == TENANT_FAILED ? work->failure_key(kept) : 0;
}

static bool say_failed(void *host, uint32_t index)
{
    const Operating *operating = host;
    const FleetWork *work = operating->work;
    return work->on_failed != NULL &&
           work->on_failed(work->host, index, fleet_result(operating->results, index));
}

bool fleet_operate(Fleet *fleet, const FleetWork *work, FleetResults *ret_results, Error *error)
{
    size_t count = work->tenants->count;
    const RecordType *type = operation_get(work->operation)->result;
    *ret_results = (FleetResults){.type = type, .count = count, .records = calloc(count + 1, type->size)};
    Operating operating = {work, ret_results, calloc(count + 1, sizeof *operating.states)};
    const Tenant **tenants = calloc(count + 1, sizeof *tenants);
    uint32_t *predecessors = fleet_tenants_predecessors(work->tenants, error);
    bool ok =
        ret_results->records != NULL && operating.states != NULL && tenants != NULL && predecessors != NULL;
    for (size_t i = 0; ok && i < count; i++)
        tenants[i] = &work->tenants->items[i];
    Phase phase = {
        .operation = work->operation,
        .tenants = tenants,
        .predecessors = predecessors,
        .tenant_count = count,
        .options = work->options,
        .concurrency = work->concurrency,
        .schedule = work->schedule,
        .lock_wait_ms = fleet->options.lock_wait_ms,
        .max_failures = work->max_failures,
        .equal_failures = work->equal_failures,
        .on_result = keep_best,
        .on_failed = say_failed,
        .host = &operating,
    };
    ok = ok ? fleet_run_phase(fleet, &phase, &ret_results->outcome, error) : error_memory(error);
    free(operating.states);
    free(tenants);
    free(predecessors);
    return ok;
}

void fleet_results_clear(FleetResults *results)
{
    for (size_t i = 0; results->records != NULL && i < results->count; i++)
        record_clear(results->type, fleet_result(results, i));
    free(results->records);
    phase_outcome_clear(&results->outcome);
    *results = (FleetResults){0};
}
