/* The judge: keeps its own books from events and actions alone, by other means than the engine's. */
#include "tests/support/sim_internal.h"
#include <string.h>

static const char *const STATES[] = {"pending", "skipped", "failed", "succeeded"};

static void lease_end(SimCoordinator *coordinator, const Sim *sim, SimRow *row)
{
    row->leased = false;
    if (coordinator->spec.set_jobs && --coordinator->job_leases[row->job] > 0)
        return;
    SimPeer *peer = &coordinator->peers[row->worker];
    uint32_t d = sim->schemas[row->schema].database;
    coordinator->in_flight--;
    coordinator->in_flight_of[d]--;
    peer->in_flight--;
    peer->in_flight_of[d]--;
    peer->alone = peer->alone && peer->in_flight > 0;
}

static void note_joined(SimCoordinator *coordinator, const EngineEvent *event)
{
    const EngineSpec *spec = &coordinator->spec;
    bool prefetch = spec->schedule == ENGINE_ROLLING && spec->concurrency == 0;
    SimPeer *peer = &coordinator->peers[event->worker];
    peer->live = true;
    peer->slots = event->slots;
    peer->ahead = !prefetch ? 0 : spec->set_jobs || event->slots > 64 ? event->slots : 64;
    memcpy(peer->reaches, event->databases, sizeof(peer->reaches));
}

static void note_lost(Sim *sim, SimCoordinator *coordinator, const EngineEvent *event)
{
    coordinator->peers[event->worker].live = false;
    for (size_t i = 0; i < coordinator->spec.tenant_count; i++) {
        SimRow *row = &coordinator->rows[i];
        if (!row->leased || row->worker != event->worker)
            continue;
        if (row->state == TENANT_PENDING) {
            row->deaths += row->started;
            row->recovering = true;
        }
        lease_end(coordinator, sim, row);
    }
}

static void note_finished(Sim *sim, SimCoordinator *coordinator, const EngineEvent *event)
{
    SimRow *row = &coordinator->rows[event->tenant];
    bool newest = event->attempt == row->attempt;
    TenantState now = engine_tenant_state(coordinator->engine, event->tenant);
    TenantState said = outcome_state(event->outcome);
    bool verdict = event->outcome != OUTCOME_BUSY && event->outcome != OUTCOME_NOT_STARTED;
    if (said == TENANT_SUCCEEDED) {
        sim->stats->late_successes += row->state != TENANT_SUCCEEDED && !(newest && row->leased);
        if (now != TENANT_SUCCEEDED)
            sim_violation(sim, "tenant %u is %s although attempt %u succeeded", event->tenant, STATES[now],
                          event->attempt);
    } else if (verdict && newest && now < TENANT_FAILED) {
        sim_violation(sim, "tenant %u is %s although its last attempt failed", event->tenant, STATES[now]);
    }
    coordinator->peers[event->worker].ended++;
    row->superseded = row->superseded || (said == TENANT_FAILED && verdict && !newest);
    sim->stats->duplicates += row->state == now && !(newest && row->leased);
    sim->stats->busy += event->outcome == OUTCOME_BUSY;
    if (newest && row->leased && row->worker == event->worker)
        lease_end(coordinator, sim, row);
}

/* The first verdicts, in order, as the rule of equal failures counts them. */
static void note_verdict(SimCoordinator *coordinator, TenantState state, uint64_t key)
{
    if (state == TENANT_SUCCEEDED || key == 0 ||
        (coordinator->equal_count > 0 && key != coordinator->equal_key))
        coordinator->unequal = true;
    coordinator->equal_key = key;
    coordinator->equal_count++;
}

/* Whether the engine stopped by itself exactly when its limits say so. */
static void judge_limits(Sim *sim, SimCoordinator *coordinator, const EngineEvent *event, size_t failed)
{
    const EngineSpec *spec = &coordinator->spec;
    bool too_many = spec->max_failures >= 0 && failed > (size_t)spec->max_failures;
    bool equal = event->kind == ENGINE_FINISHED && !coordinator->unequal && coordinator->equal_count > 0 &&
                 coordinator->equal_count == spec->equal_failures;
    EngineAbort reason = engine_abort_reason(coordinator->engine);
    if (coordinator->aborted)
        return;
    coordinator->aborted = reason != ENGINE_NOT_ABORTED;
    if (reason == ENGINE_ABORTED_BY_HOST) {
        if (event->kind != ENGINE_ABORT && event->kind != ENGINE_CANCEL)
            sim_violation(sim, "aborted by the host, who did not");
        return;
    }
    sim->stats->limits += reason != ENGINE_NOT_ABORTED;
    if ((reason == ENGINE_ABORTED_MAX_FAILURES) != too_many)
        sim_violation(sim, "%zu failures of at most %lld, abort reason %d", failed,
                      (long long)spec->max_failures, reason);
    if (!too_many && (reason == ENGINE_ABORTED_EQUAL_FAILURES) != equal)
        sim_violation(sim, "%lld equal failures, abort reason %d", (long long)coordinator->equal_count,
                      reason);
}

static void note_state(Sim *sim, SimCoordinator *coordinator, uint32_t tenant, uint64_t key)
{
    SimRow *row = &coordinator->rows[tenant];
    TenantState now = engine_tenant_state(coordinator->engine, tenant);
    if (now < row->state)
        sim_violation(sim, "tenant %u went from %s to %s", tenant, STATES[row->state], STATES[now]);
    if (row->state == TENANT_PENDING && now != TENANT_PENDING) {
        coordinator->batch_open[row->batch]--;
        row->verdict_ms = sim->now_ms;
    }
    if (row->state < TENANT_FAILED && now >= TENANT_FAILED)
        note_verdict(coordinator, now, key);
    else if (row->state != now && now == TENANT_SUCCEEDED)
        coordinator->unequal = true;
    row->state = now;
}

static void judge_totals(Sim *sim, const SimCoordinator *coordinator)
{
    EngineTotals totals = engine_totals(coordinator->engine);
    EngineTotals shown = engine_progress(coordinator->engine);
    size_t leased = 0, counts[TENANT_SUCCEEDED + 1] = {0};
    for (size_t i = 0; i < coordinator->spec.tenant_count; i++) {
        counts[coordinator->rows[i].state]++;
        leased += coordinator->rows[i].leased;
        if (coordinator->rows[i].attempt != engine_tenant_attempts(coordinator->engine, (uint32_t)i))
            sim_violation(sim, "tenant %zu counts other attempts than were dispatched", i);
    }
    if (totals.total != coordinator->spec.tenant_count ||
        totals.total != totals.succeeded + totals.failed + totals.skipped + totals.pending)
        sim_violation(sim, "totals do not add up");
    if (memcmp(&shown, &totals, sizeof shown) != 0)
        sim_violation(sim, "what is shown is not what the table holds");
    if (totals.succeeded != counts[TENANT_SUCCEEDED] || totals.failed != counts[TENANT_FAILED] ||
        totals.skipped != counts[TENANT_SKIPPED] || totals.in_flight != leased)
        sim_violation(sim, "totals differ from the tenants' states");
    if (!coordinator->aborted && totals.skipped > 0)
        sim_violation(sim, "%zu tenants skipped without an abort", totals.skipped);
}

/* After the event was applied. The tenant it speaks of comes first: an abort that it causes changes others.
 */
void sim_observe_event(Sim *sim, SimCoordinator *coordinator, const EngineEvent *event)
{
    if (event->kind == ENGINE_WORKER_JOINED)
        note_joined(coordinator, event);
    if (event->kind == ENGINE_WORKER_DRAINING)
        coordinator->peers[event->worker].draining = true;
    if (event->kind == ENGINE_WORKER_LOST)
        note_lost(sim, coordinator, event);
    if (event->kind == ENGINE_STARTED) {
        SimRow *row = &coordinator->rows[event->tenant];
        if (row->leased && row->attempt == event->attempt)
            row->started = true;
    }
    if (event->kind == ENGINE_FINISHED) {
        note_finished(sim, coordinator, event);
        note_state(sim, coordinator, event->tenant, event->failure_key);
    }
    size_t failed = 0;
    for (uint32_t i = 0; i < coordinator->spec.tenant_count; i++) {
        bool quarantined = engine_tenant_outcome(coordinator->engine, i) == OUTCOME_QUARANTINED &&
                           engine_tenant_state(coordinator->engine, i) == TENANT_FAILED;
        failed += coordinator->rows[i].state == TENANT_FAILED || quarantined;
        if (quarantined && coordinator->rows[i].deaths < 3)
            sim_violation(sim, "tenant %u convicted after %u deaths", i, coordinator->rows[i].deaths);
    }
    judge_limits(sim, coordinator, event, failed);
    for (uint32_t i = 0; i < coordinator->spec.tenant_count; i++) {
        note_state(sim, coordinator, i, 0);
        if (coordinator->rows[i].deaths >= 3 && coordinator->rows[i].state == TENANT_PENDING)
            sim_violation(sim, "tenant %u killed three workers and is not convicted", i);
    }
    judge_totals(sim, coordinator);
}

static void judge_lease(Sim *sim, SimCoordinator *coordinator, const EngineAction *action,
                        const EngineLease *lease)
{
    SimRow *row = &coordinator->rows[lease->tenant];
    SimPeer *peer = &coordinator->peers[action->worker];
    if (row->state != TENANT_PENDING)
        sim_violation(sim, "tenant %u dispatched although %s", lease->tenant, STATES[row->state]);
    if (row->leased)
        sim_violation(sim, "tenant %u dispatched twice", lease->tenant);
    if (lease->attempt != row->attempt + 1)
        sim_violation(sim, "tenant %u dispatched as attempt %u after %u", lease->tenant, lease->attempt,
                      row->attempt);
    if (lease->recovering != (row->recovering || row->superseded))
        sim_violation(sim, "tenant %u is wrongly marked as recovering: %d", lease->tenant, lease->recovering);
    if (sim->schemas[row->schema].database != action->database)
        sim_violation(sim, "tenant %u is not in database %u", lease->tenant, action->database);
    if (row->predecessor != ENGINE_NONE && coordinator->rows[row->predecessor].state == TENANT_PENDING)
        sim_violation(sim, "tenant %u overtook its predecessor", lease->tenant);
    if (row->deaths >= 2 && (action->lease_count != 1 || peer->in_flight > 0))
        sim_violation(sim, "tenant %u took part in two deaths and is not alone", lease->tenant);
    for (uint32_t b = 0; b < row->batch && coordinator->spec.schedule == ENGINE_BATCH; b++) {
        if (coordinator->batch_open[b] > 0)
            sim_violation(sim, "tenant %u of batch %u dispatched while batch %u is open", lease->tenant,
                          row->batch, b);
    }
    sim->stats->reassigned += row->attempt > 0;
    sim->stats->recovering += lease->recovering;
    sim->stats->alone += row->deaths >= 2;
    peer->alone = row->deaths >= 2;
    row->leased = true;
    row->started = false;
    row->attempt = lease->attempt;
    row->worker = action->worker;
    row->job = action->job;
}

static void judge_capacity(Sim *sim, SimCoordinator *coordinator, const EngineAction *action)
{
    const EngineSpec *spec = &coordinator->spec;
    const SimPeer *peer = &coordinator->peers[action->worker];
    int64_t budget = coordinator->budgets[action->database], sharers = 0;
    for (size_t p = 0; p < coordinator->peer_count; p++) {
        const SimPeer *other = &coordinator->peers[p];
        sharers += other->live && !other->draining && other->reaches[action->database];
    }
    if (sharers == 0 || action->grant < budget / sharers || action->grant > (budget + sharers - 1) / sharers)
        sim_violation(sim, "grant %lld of a budget of %lld for %lld workers", (long long)action->grant,
                      (long long)budget, (long long)sharers);
    int64_t earned = peer->ended > peer->slots ? peer->ended : peer->slots;
    int64_t ahead = peer->ahead < earned ? peer->ahead : earned;
    if (peer->in_flight > peer->slots + ahead)
        sim_violation(sim, "worker %u has %lld in flight for %lld slots", action->worker,
                      (long long)peer->in_flight, (long long)peer->slots);
    if (peer->in_flight_of[action->database] > action->grant)
        sim_violation(sim, "worker %u is above its grant", action->worker);
    if (coordinator->in_flight_of[action->database] > budget)
        sim_violation(sim, "database %u is above its budget", action->database);
    if (spec->concurrency > 0 && coordinator->in_flight > spec->concurrency)
        sim_violation(sim, "%lld in flight of %lld", (long long)coordinator->in_flight,
                      (long long)spec->concurrency);
}

static void judge_dispatch(Sim *sim, SimCoordinator *coordinator, const EngineAction *action)
{
    const EngineSpec *spec = &coordinator->spec;
    SimPeer *peer = &coordinator->peers[action->worker];
    if (coordinator->aborted)
        sim_violation(sim, "dispatch after the abort");
    if (!peer->live || peer->draining || peer->alone || !peer->reaches[action->database])
        sim_violation(sim, "worker %u must not get this", action->worker);
    if (action->lease_count < 1 || (int64_t)action->lease_count > spec->tenants_per_job)
        sim_violation(sim, "job of %zu tenants", action->lease_count);
    for (size_t i = 0; i < spec->tenant_count; i++) {
        if (coordinator->rows[i].state == TENANT_FAILED && !coordinator->rows[i].announced)
            sim_violation(sim, "dispatch before the failure of tenant %zu was told", i);
    }
    for (size_t i = 0; i < action->lease_count; i++)
        judge_lease(sim, coordinator, action, &action->leases[i]);
    int64_t units = spec->set_jobs ? 1 : (int64_t)action->lease_count;
    coordinator->in_flight += units;
    coordinator->in_flight_of[action->database] += units;
    peer->in_flight += units;
    peer->in_flight_of[action->database] += units;
    judge_capacity(sim, coordinator, action);
    sim->stats->dispatches++;
}

static void judge_complete(Sim *sim, SimCoordinator *coordinator)
{
    coordinator->complete = true;
    for (size_t i = 0; i < coordinator->spec.tenant_count; i++) {
        const SimRow *row = &coordinator->rows[i];
        if (row->state == TENANT_PENDING)
            sim_violation(sim, "complete although tenant %zu is pending", i);
        if (row->state == TENANT_FAILED && !row->announced)
            sim_violation(sim, "complete before the failure of tenant %zu was told", i);
    }
}

void sim_observe_action(Sim *sim, SimCoordinator *coordinator, const EngineAction *action)
{
    if (coordinator->complete)
        sim_violation(sim, "an action after the last one");
    if (action->kind == ENGINE_DISPATCH)
        judge_dispatch(sim, coordinator, action);
    if (action->kind == ENGINE_COMPLETE)
        judge_complete(sim, coordinator);
    if (action->kind == ENGINE_TENANT_FAILED) {
        SimRow *row = &coordinator->rows[action->tenant];
        if (row->announced || row->state != TENANT_FAILED)
            sim_violation(sim, "failure of tenant %u told twice or wrongly", action->tenant);
        row->announced = true;
    }
    if (action->kind == ENGINE_ABORT_WORKERS) {
        bool *told = action->cancel ? &coordinator->told_cancel : &coordinator->told_abort;
        if (*told || !coordinator->aborted)
            sim_violation(sim, "workers told to stop twice or without an abort");
        *told = true;
    }
}

/* A tenant that is not reported as succeeded although its own attempt applied everything: nobody can have
 * told the engine in time, or the outcome says that it does not know. */
static bool excusable(const SimCoordinator *coordinator, const Sim *sim, const SimSchema *schema,
                      uint32_t tenant)
{
    const SimRow *row = &coordinator->rows[tenant];
    const SimTask *finisher = &sim->tasks[schema->finisher];
    Outcome outcome = engine_tenant_outcome(coordinator->engine, tenant);
    if (&sim->coordinators[finisher->coordinator] != coordinator || finisher->row != tenant)
        return true;
    if (finisher->result_arrived)
        return finisher->outcome == OUTCOME_UNKNOWN;
    if (outcome == OUTCOME_UNKNOWN || outcome == OUTCOME_QUARANTINED)
        return true;
    return schema->finished_ms >= row->verdict_ms;
}

static void judge_end_state(Sim *sim, const SimCoordinator *coordinator, uint32_t tenant)
{
    const SimRow *row = &coordinator->rows[tenant];
    const SimSchema *schema = &sim->schemas[row->schema];
    size_t applied = 0;
    for (size_t m = 0; m < sim->migration_count; m++)
        applied += schema->effects[m] > 0;
    if (row->state == TENANT_SUCCEEDED && applied < sim->migration_count)
        sim_violation(sim, "tenant %u succeeded with %zu of %zu migrations", tenant, applied,
                      sim->migration_count);
    if (row->state != TENANT_SUCCEEDED && applied == sim->migration_count && schema->finisher != SIM_NOBODY &&
        !excusable(coordinator, sim, schema, tenant))
        sim_violation(sim, "tenant %u is %s (%s) although its attempt %u applied everything", tenant,
                      STATES[row->state], outcome_name(engine_tenant_outcome(coordinator->engine, tenant)),
                      sim->tasks[schema->finisher].attempt);
    if (row->state == TENANT_SKIPPED && (row->started || row->recovering))
        sim_violation(sim, "tenant %u is skipped although it may have started", tenant);
}

void sim_observe_end(Sim *sim)
{
    for (size_t i = 0; i < sim->schema_count; i++) {
        for (size_t m = 0; m < sim->migration_count; m++) {
            if (sim->schemas[i].effects[m] > 1)
                sim_violation(sim, "schema %zu got migration %zu twice", i, m);
        }
    }
    for (size_t c = 0; c < sim->coordinator_count; c++) {
        const SimCoordinator *coordinator = &sim->coordinators[c];
        for (uint32_t i = 0; i < coordinator->spec.tenant_count; i++) {
            Outcome outcome = engine_tenant_outcome(coordinator->engine, i);
            judge_end_state(sim, coordinator, i);
            sim->stats->quarantined += outcome == OUTCOME_QUARANTINED;
            sim->stats->unknown += outcome == OUTCOME_UNKNOWN;
            sim->stats->skipped += coordinator->rows[i].state == TENANT_SKIPPED;
        }
    }
}
