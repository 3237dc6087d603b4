#include "common/log.h"
#include "coordinator/dispatcher_internal.h"
#include "coordinator/refusal.h"
#include "proto/record_codec.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

bool phase_join(Dispatcher *dispatcher, RegisteredWorker *worker, int64_t now_ms, Error *error)
{
    if (dispatcher->engine == NULL || !worker->serving || worker->draining)
        return true;
    bool *reaches = calloc(dispatcher->engine_databases + 1, sizeof *reaches);
    if (reaches == NULL)
        return error_memory(error);
    for (size_t i = 0; i < dispatcher->engine_databases && i < worker->reach_count; i++)
        reaches[i] = worker->reaches[i];
    EngineEvent event = {.kind = ENGINE_WORKER_JOINED,
                         .worker = ++dispatcher->last_engine_id,
                         .slots = worker->slots,
                         .databases = reaches};
    bool ok = engine_apply(dispatcher->engine, &event, now_ms, error);
    free(reaches);
    worker->engine_id = event.worker;
    worker->joined = ok;
    return ok;
}

/* A message about another phase, about leases that never were, or about the newest attempt from a worker that
 * did not get it, is no news. Older attempts are anybody's: results outlive sessions. */
static bool is_plausible(const Dispatcher *dispatcher, const RegisteredWorker *worker, int64_t phase,
                         int64_t index, int64_t attempt)
{
    if (dispatcher->engine == NULL || phase != dispatcher->phase_number || index < 0 ||
        (size_t)index >= dispatcher->phase->tenant_count || attempt < 1)
        return false;
    int64_t newest = engine_tenant_attempts(dispatcher->engine, (uint32_t)index);
    return attempt < newest || (attempt == newest && dispatcher->holders[index] == worker);
}

/* What the engine refuses was said by a confused worker: worth a line in the log, not the end of the run. */
static bool feed(Dispatcher *dispatcher, RegisteredWorker *worker, const EngineEvent *event, int64_t now_ms,
                 Error *error)
{
    if (engine_apply(dispatcher->engine, event, now_ms, error))
        return true;
    if (error->code != ERROR_PROTOCOL)
        return false;
    if (log_budget_take(&worker->complaints, worker->name))
        log_error_value(LOG_WARNING, worker->name, error);
    error_clear(error);
    return true;
}

static bool handle_start(Dispatcher *dispatcher, RegisteredWorker *worker, const StartMessage *start,
                         int64_t now_ms, Error *error)
{
    const LeaseItem *leases = start->leases.items;
    for (size_t i = 0; i < start->leases.count; i++) {
        if (!is_plausible(dispatcher, worker, start->phase, leases[i].index, leases[i].attempt) ||
            !worker->joined)
            continue;
        dispatcher->starts++;
        EngineEvent event = {.kind = ENGINE_STARTED,
                             .worker = worker->engine_id,
                             .tenant = (uint32_t)leases[i].index,
                             .attempt = (uint32_t)leases[i].attempt};
        if (!feed(dispatcher, worker, &event, now_ms, error))
            return false;
    }
    return true;
}

static bool handle_result_item(Dispatcher *dispatcher, RegisteredWorker *worker, const ResultItem *item,
                               int64_t now_ms, Error *error)
{
    const Phase *phase = dispatcher->phase;
    const RecordType *type = operation_get(phase->operation)->result;
    EngineEvent event = {.kind = ENGINE_FINISHED,
                         .worker = worker->engine_id,
                         .tenant = (uint32_t)item->index,
                         .attempt = (uint32_t)item->attempt};
    if (item->outcome == NULL || !outcome_from_name(item->outcome, &event.outcome)) {
        if (log_budget_take(&worker->complaints, worker->name))
            log_message(LOG_WARNING, worker->name, "result with an unknown outcome dropped");
        return true;
    }
    if (type != NULL) {
        void *record = calloc(1, type->size);
        if (record == NULL)
            return error_memory(error);
        ERROR_CLEANUP Error broken = {0};
        if (item->body.length > 0 &&
            !record_unpack(type, item->body.data, item->body.length, record, &broken)) {
            if (log_budget_take(&worker->complaints, worker->name))
                log_error_value(LOG_WARNING, worker->name, &broken);
            bool success = outcome_state(event.outcome) == TENANT_SUCCEEDED;
            event.outcome = success ? OUTCOME_UNKNOWN : OUTCOME_ERROR; /* of what, it does not say */
        }
        event.failure_key = phase->on_result(phase->host, event.tenant, event.attempt, event.outcome, record);
        record_clear(type, record);
        free(record);
    }
    return !worker->joined || feed(dispatcher, worker, &event, now_ms, error);
}

static bool handle_result(Dispatcher *dispatcher, RegisteredWorker *worker, const ResultMessage *result,
                          int64_t now_ms, Error *error)
{
    const ResultItem *items = result->items.items;
    for (size_t i = 0; i < result->items.count; i++)
        if (is_plausible(dispatcher, worker, result->phase, items[i].index, items[i].attempt) &&
            !handle_result_item(dispatcher, worker, &items[i], now_ms, error))
            return false;
    return true;
}

static bool send_bundle(Dispatcher *dispatcher, RegisteredWorker *worker, const BundleRequestMessage *request,
                        Error *error)
{
    const Bundle *bundle = dispatcher->options.bundle;
    if (bundle == NULL || request->digest == NULL || strcmp(request->digest, bundle->digest) != 0) {
        if (!worker->confused)
            log_message(LOG_WARNING, worker->name, "asked for migrations that this run does not have");
        worker->confused = true;
        return true;
    }
    if (worker->bundle_seq > session_acked(worker->channel.session))
        return true; /* is on its way */
    BundleMessage message = {(char *)bundle->digest, {bundle->items, bundle->count}};
    return session_send(worker->channel.session, MESSAGE_BUNDLE, &message, &worker->bundle_seq, error);
}

static bool handle_drain(Dispatcher *dispatcher, RegisteredWorker *worker, int64_t now_ms, Error *error)
{
    log_message(LOG_INFO, worker->name, "worker drains");
    worker->draining = true;
    EngineEvent event = {.kind = ENGINE_WORKER_DRAINING, .worker = worker->engine_id};
    return !worker->joined || feed(dispatcher, worker, &event, now_ms, error);
}

bool phase_handle(Dispatcher *dispatcher, RegisteredWorker *worker, Message *message, int64_t now_ms,
                  Error *error)
{
    switch (message->type) {
    case MESSAGE_START:
        return handle_start(dispatcher, worker, message->record, now_ms, error);
    case MESSAGE_RESULT:
        return handle_result(dispatcher, worker, message->record, now_ms, error);
    case MESSAGE_BUNDLE_REQ:
        return send_bundle(dispatcher, worker, message->record, error);
    case MESSAGE_DRAIN:
        return handle_drain(dispatcher, worker, now_ms, error);
    case MESSAGE_BYE:
        return registry_lose(dispatcher, worker, "it said goodbye", now_ms, error);
    case MESSAGE_ERROR: {
        const ErrorMessage *report = message->record;
        if (log_budget_take(&worker->complaints, worker->name))
            log_message(LOG_WARNING, worker->name, "worker reports: %.1000s",
                        report->message != NULL ? report->message : "an error");
        return true;
    }
    default:
        return true; /* HEARTBEAT and ACK have done their work by arriving */
    }
}

static RegisteredWorker *worker_of(Dispatcher *dispatcher, uint32_t engine_id)
{
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (worker->joined && worker->engine_id == engine_id)
            return worker;
    }
    return NULL;
}

/* A tenant of which nothing can be made has its turn and its result like everybody, but no worker hears of
 * it. */
static bool answer_refused(Dispatcher *dispatcher, uint32_t worker, const EngineLease *lease, int64_t now_ms,
                           Error *error)
{
    const Phase *phase = dispatcher->phase;
    const RecordType *type = operation_get(phase->operation)->result;
    void *record = refusal_result(type, phase->tenants[lease->tenant], error);
    if (record == NULL)
        return false;
    EngineEvent event = {.kind = ENGINE_FINISHED,
                         .worker = worker,
                         .tenant = lease->tenant,
                         .attempt = lease->attempt,
                         .outcome = OUTCOME_ERROR};
    phase->on_result(phase->host, event.tenant, event.attempt, event.outcome, record);
    record_clear(type, record);
    free(record);
    return engine_apply(dispatcher->engine, &event, now_ms, error);
}

static bool send_job(Dispatcher *dispatcher, RegisteredWorker *worker, const EngineAction *action,
                     const EngineLease *leases, size_t count, Error *error)
{
    const Phase *phase = dispatcher->phase;
    const Operation *operation = operation_get(phase->operation);
    SentJob *job = calloc(1, sizeof *job);
    JobTenant *tenants = calloc(count, sizeof *tenants);
    if (job == NULL || tenants == NULL) {
        free(job);
        free(tenants);
        return error_memory(error);
    }
    for (size_t i = 0; i < count; i++) {
        const EngineLease *lease = &leases[i];
        const Tenant *tenant = phase->tenants[lease->tenant];
        bool first = lease->attempt == 1 && phase->plan_of != NULL;
        tenants[i] = (JobTenant){
            .index = lease->tenant,
            .attempt = lease->attempt,
            .id = tenant->id,
            .schema = tenant->schema,
            .recovering = lease->recovering,
            .plan = first ? (char *)phase->plan_of(phase->host, lease->tenant) : NULL,
        };
        dispatcher->holders[lease->tenant] = worker;
    }
    job->message = (JobMessage){
        .job = (int64_t)action->job,
        .phase = dispatcher->phase_number,
        .operation = (char *)operation->name,
        .database = dispatcher->databases.items[action->database],
        .grant = action->grant,
        .bundle = operation->needs_bundle ? (char *)dispatcher->options.bundle->digest : NULL,
        .options = {(void *)phase->options, 1},
        .tenants = {tenants, count},
    };
    worker->leased = true;
    DL_APPEND(worker->jobs, job);
    return session_send(worker->channel.session, MESSAGE_JOB, &job->message, &job->seq, error);
}

/* Copies the leases that are refused, or those that are not. */
static size_t pick_leases(const Phase *phase, const EngineAction *action, bool refused,
                          EngineLease *ret_leases)
{
    size_t count = 0;
    for (size_t i = 0; i < action->lease_count; i++)
        if ((phase->tenants[action->leases[i].tenant]->refusal != NULL) == refused)
            ret_leases[count++] = action->leases[i];
    return count;
}

static bool dispatch(Dispatcher *dispatcher, const EngineAction *action, int64_t now_ms, Error *error)
{
    RegisteredWorker *worker = worker_of(dispatcher, action->worker);
    if (worker == NULL)
        return true; /* cannot be: the engine dispatches to joined workers only */
    EngineLease *leases = calloc(action->lease_count, sizeof *leases);
    if (leases == NULL)
        return error_memory(error);
    size_t count = pick_leases(dispatcher->phase, action, false, leases);
    bool ok = count == 0 || send_job(dispatcher, worker, action, leases, count, error);
    /* Feeding the engine ends the life of the action's own leases. */
    count = count < action->lease_count ? pick_leases(dispatcher->phase, action, true, leases) : 0;
    for (size_t i = 0; ok && i < count; i++)
        ok = answer_refused(dispatcher, worker->engine_id, &leases[i], now_ms, error);
    free(leases);
    return ok;
}

static bool tell_abort(Dispatcher *dispatcher, bool cancel, Error *error)
{
    dispatcher->aborting = true;
    dispatcher->cancelling |= cancel;
    RegisteredWorker *worker;
    DL_FOREACH(dispatcher->workers, worker)
    {
        if (worker->serving &&
            !session_send(worker->channel.session, MESSAGE_ABORT, &(AbortMessage){cancel}, NULL, error))
            return false;
    }
    return true;
}

bool phase_act(Dispatcher *dispatcher, int64_t now_ms, Error *error)
{
    const Phase *phase = dispatcher->phase;
    EngineAction action;
    while (engine_next(dispatcher->engine, now_ms, &action)) {
        if (action.kind == ENGINE_COMPLETE)
            dispatcher->complete = true;
        else if (action.kind == ENGINE_DISPATCH && !dispatch(dispatcher, &action, now_ms, error))
            return false;
        else if (action.kind == ENGINE_ABORT_WORKERS && !tell_abort(dispatcher, action.cancel, error))
            return false;
        else if (action.kind == ENGINE_TENANT_FAILED && phase->on_failed != NULL &&
                 phase->on_failed(phase->host, action.tenant)) {
            dispatcher->aborted_by_policy = true;
            EngineEvent event = {.kind = ENGINE_ABORT};
            if (!engine_apply(dispatcher->engine, &event, now_ms, error))
                return false;
        }
    }
    return true;
}
