/* The run: takes what is next on the agenda, lets it happen, and plays the coordinators' hosts. */
#include "tests/support/sim_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIM_MOST_EVENTS 200000
#define SIM_MOST_MS (24LL * 3600 * 1000)

static uint32_t worker_process(const SimCoordinator *coordinator, uint32_t worker)
{
    return coordinator->peers[worker].process;
}

/* The leases of a job become tasks in a row; they are on their way to the worker until its message arrives.
 */
static void send_job(Sim *sim, uint32_t index, const EngineAction *action)
{
    SimCoordinator *coordinator = &sim->coordinators[index];
    bool set_job = coordinator->spec.set_jobs;
    uint32_t first = (uint32_t)sim->task_count;
    for (size_t i = 0; i < action->lease_count; i++) {
        if (i == 0 || !set_job) {
            sim->units = sim_grow(sim->units, &sim->unit_capacity, sim->unit_count, sizeof(*sim->units));
            sim->units[sim->unit_count++] =
                (SimUnit){.unfinished = set_job ? (uint32_t)action->lease_count : 1};
        }
        sim->tasks = sim_grow(sim->tasks, &sim->task_capacity, sim->task_count, sizeof(*sim->tasks));
        sim->tasks[sim->task_count++] = (SimTask){.coordinator = index,
                                                  .row = action->leases[i].tenant,
                                                  .attempt = action->leases[i].attempt,
                                                  .process = worker_process(coordinator, action->worker),
                                                  .worker = action->worker,
                                                  .unit = (uint32_t)sim->unit_count - 1};
    }
    while (coordinator->job_capacity <= action->job)
        coordinator->job_leases = sim_grow(coordinator->job_leases, &coordinator->job_capacity,
                                           coordinator->job_capacity, sizeof(*coordinator->job_leases));
    coordinator->job_leases[action->job] = (uint32_t)action->lease_count;
    sim_send_to_worker(sim, worker_process(coordinator, action->worker),
                       (SimEvent){.task = first, .count = (uint32_t)action->lease_count});
}

static void send_abort(Sim *sim, const SimCoordinator *coordinator, bool cancel)
{
    for (size_t w = 0; w < coordinator->peer_count; w++) {
        if (coordinator->peers[w].live)
            sim_send_to_worker(
                sim, worker_process(coordinator, (uint32_t)w),
                (SimEvent){.task = SIM_NOBODY, .event.kind = cancel ? ENGINE_CANCEL : ENGINE_ABORT});
    }
}

static void trace_event(const Sim *sim, uint32_t index, const EngineEvent *event)
{
    static const char *const KINDS[] = {"joined",   "lost",  "draining", "started",
                                        "finished", "abort", "cancel"};
    if (!sim->trace)
        return;
    fprintf(stderr, "%8lld [%u] %s worker %u", (long long)sim->now_ms, index, KINDS[event->kind],
            event->worker);
    if (event->kind == ENGINE_STARTED || event->kind == ENGINE_FINISHED)
        fprintf(stderr, " tenant %u/%u %s", event->tenant, event->attempt, outcome_name(event->outcome));
    fprintf(stderr, "\n");
}

static void trace_action(const Sim *sim, uint32_t index, const EngineAction *action)
{
    static const char *const KINDS[] = {"dispatch to worker", "failed", "abort, cancel", "complete"};
    if (!sim->trace)
        return;
    const uint32_t about[] = {action->worker, action->tenant, action->cancel, 0};
    fprintf(stderr, "%8lld [%u] -> %s %u", (long long)sim->now_ms, index, KINDS[action->kind],
            about[action->kind]);
    for (size_t i = 0; i < action->lease_count; i++)
        fprintf(stderr, " %u/%u", action->leases[i].tenant, action->leases[i].attempt);
    fprintf(stderr, "\n");
}

static bool tell(Sim *sim, uint32_t index, const EngineEvent *event)
{
    SimCoordinator *coordinator = &sim->coordinators[index];
    ERROR_CLEANUP Error error = {0};
    trace_event(sim, index, event);
    bool ok = engine_apply(coordinator->engine, event, sim->now_ms, &error);
    if (!ok)
        sim_violation(sim, "event %d of worker %u refused: %s", event->kind, event->worker, error.message);
    else
        sim_observe_event(sim, coordinator, event);
    return ok;
}

static void host_act(Sim *sim, uint32_t index)
{
    SimCoordinator *coordinator = &sim->coordinators[index];
    EngineAction action;
    while (sim->violation[0] == '\0' && engine_next(coordinator->engine, sim->now_ms, &action)) {
        trace_action(sim, index, &action);
        sim_observe_action(sim, coordinator, &action);
        if (sim->violation[0] != '\0')
            return;
        if (action.kind == ENGINE_DISPATCH)
            send_job(sim, index, &action);
        if (action.kind == ENGINE_ABORT_WORKERS)
            send_abort(sim, coordinator, action.cancel);
        if (action.kind == ENGINE_TENANT_FAILED && sim_chance(sim, coordinator->abort_on_failure))
            tell(sim, index, &(EngineEvent){.kind = ENGINE_ABORT});
    }
    if (engine_wakeup_ms(coordinator->engine) <= sim->now_ms)
        sim_violation(sim, "asks to be woken in the past");
}

/* Hosts ask at once, or after a few more events. */
static void host_act_soon(Sim *sim, uint32_t index)
{
    if (sim_chance(sim, 800))
        host_act(sim, index);
    else
        sim_schedule(sim, (SimEvent){.kind = SIM_PULL, .coordinator = index}, sim_between(sim, 0, 20));
}

/* A message or a host's own wish. A worker that came back speaks of old leases under either number. */
static void arrive_at_engine(Sim *sim, const SimEvent *message)
{
    EngineEvent event = message->event;
    if (message->process != SIM_NOBODY) {
        const SimProcess *sender = &sim->processes[message->process];
        if (sender->died_ms < message->departed_ms)
            return;
        if (!sender->given_up && sender->worker != event.worker && sim_chance(sim, 500))
            event.worker = sender->worker;
    }
    sim->stats->aborts += event.kind == ENGINE_ABORT;
    sim->stats->cancels += event.kind == ENGINE_CANCEL;
    if (!tell(sim, message->coordinator, &event))
        return;
    if (message->task != SIM_NOBODY && event.kind == ENGINE_FINISHED)
        sim->tasks[message->task].result_arrived = true;
    host_act_soon(sim, message->coordinator);
}

static void join(Sim *sim, uint32_t index)
{
    SimProcess *process = &sim->processes[index];
    if (process->dead || process->left || process->draining || (process->joined && !process->given_up))
        return;
    SimCoordinator *coordinator = &sim->coordinators[process->coordinator];
    sim->stats->rejoins += process->joined;
    if (coordinator->peer_count == SIM_PROCESSES) {
        sim_violation(sim, "the run does not end: workers keep coming back");
        return;
    }
    process->worker = (uint32_t)coordinator->peer_count++;
    process->joined = true;
    process->given_up = false;
    coordinator->peers[process->worker].process = index;
    tell(sim, process->coordinator,
         &(EngineEvent){.kind = ENGINE_WORKER_JOINED,
                        .worker = process->worker,
                        .slots = process->slots,
                        .databases = process->reaches});
    host_act_soon(sim, process->coordinator);
}

/* Silence is all that the coordinator sees: the process may be dead, gone, hung or cut off. */
static void detect(Sim *sim, uint32_t index)
{
    SimProcess *process = &sim->processes[index];
    bool silent = process->dead || process->left || process->hung_until_ms > sim->now_ms ||
                  process->cut_off_until_ms > sim->now_ms;
    if (!process->joined || process->given_up || !silent)
        return;
    process->given_up = true;
    tell(sim, process->coordinator, &(EngineEvent){.kind = ENGINE_WORKER_LOST, .worker = process->worker});
    host_act_soon(sim, process->coordinator);
}

/* What no engine may believe, whatever state it is in. */
static void make_noise(Sim *sim, uint32_t index)
{
    SimCoordinator *coordinator = &sim->coordinators[index];
    uint32_t tenant = (uint32_t)(sim_random(sim) % coordinator->spec.tenant_count);
    EngineEvent event = {.kind = sim_chance(sim, 500) ? ENGINE_FINISHED : ENGINE_STARTED,
                         .worker = (uint32_t)coordinator->peer_count,
                         .tenant = tenant,
                         .attempt = coordinator->rows[tenant].attempt,
                         .outcome = OUTCOME_APPLIED};
    if (coordinator->peer_count > 0 && sim_chance(sim, 700)) {
        event.worker = (uint32_t)(sim_random(sim) % coordinator->peer_count);
        event.attempt += (uint32_t)sim_between(sim, 1, 3);
        if (sim_chance(sim, 300))
            event.tenant += (uint32_t)coordinator->spec.tenant_count;
    }
    ERROR_CLEANUP Error error = {0};
    EngineTotals before = engine_totals(coordinator->engine);
    if (engine_apply(coordinator->engine, &event, sim->now_ms, &error))
        sim_violation(sim, "believed nonsense about attempt %u at tenant %u", event.attempt, event.tenant);
    EngineTotals after = engine_totals(coordinator->engine);
    if (memcmp(&before, &after, sizeof(before)) != 0)
        sim_violation(sim, "nonsense changed the totals");
}

static void happen(Sim *sim, const SimEvent *event)
{
    static void (*const TO_INDEX[])(Sim *, uint32_t) = {
        [SIM_STEP] = sim_task_step,        [SIM_DETECT] = detect,
        [SIM_RESUME] = sim_worker_resume,  [SIM_JOIN] = join,
        [SIM_SERVER_END] = sim_server_end, [SIM_PULL] = host_act,
        [SIM_NOISE] = make_noise,
    };
    bool about_host = event->kind == SIM_NOISE || event->kind == SIM_PULL;
    bool about_task = event->kind == SIM_STEP || event->kind == SIM_SERVER_END;
    if (event->kind == SIM_AT_ENGINE)
        arrive_at_engine(sim, event);
    else if (event->kind == SIM_AT_WORKER)
        sim_worker_receive(sim, event);
    else
        TO_INDEX[event->kind](sim, about_host   ? event->coordinator
                                   : about_task ? event->task
                                                : event->process);
}

/* The coordinator that wants to be woken first, and when. */
static uint32_t first_wakeup(const Sim *sim, int64_t *ret_at_ms)
{
    uint32_t first = 0;
    *ret_at_ms = INT64_MAX;
    for (uint32_t c = 0; c < sim->coordinator_count; c++) {
        int64_t at_ms = engine_wakeup_ms(sim->coordinators[c].engine);
        if (at_ms < *ret_at_ms) {
            *ret_at_ms = at_ms;
            first = c;
        }
    }
    return first;
}

/* One thing happens. False when nothing ever will again. */
static bool step(Sim *sim)
{
    int64_t wakeup_ms;
    uint32_t sleeper = first_wakeup(sim, &wakeup_ms);
    bool wakes = wakeup_ms != INT64_MAX && (sim->event_count == 0 || wakeup_ms <= sim->events[0].at_ms);
    SimEvent event;
    if (wakes) {
        sim->now_ms = wakeup_ms > sim->now_ms ? wakeup_ms : sim->now_ms;
        host_act(sim, sleeper);
        return true;
    }
    if (!sim_pop(sim, &event))
        return false;
    sim->now_ms = event.at_ms;
    happen(sim, &event);
    return true;
}

static void play(Sim *sim)
{
    for (uint32_t c = 0; c < sim->coordinator_count && sim->violation[0] == '\0'; c++)
        host_act(sim, c);
    uint64_t events = 0;
    while (sim->violation[0] == '\0' && step(sim)) {
        if (++events > SIM_MOST_EVENTS || sim->now_ms > SIM_MOST_MS)
            sim_violation(sim, "the run does not end");
    }
    sim->stats->events += events;
    for (size_t c = 0; c < sim->coordinator_count; c++) {
        if (!sim->coordinators[c].complete)
            sim_violation(sim, "coordinator %zu is stuck with %zu pending tenants", c,
                          engine_totals(sim->coordinators[c].engine).pending);
    }
    if (sim->violation[0] == '\0')
        sim_observe_end(sim);
}

bool sim_run(uint64_t seed, SimStats *stats, char ret_violation[SIM_TEXT])
{
    Sim *sim = calloc(1, sizeof(*sim));
    if (sim == NULL) {
        perror("simulator");
        exit(EXIT_FAILURE);
    }
    char violation[SIM_TEXT] = "";
    sim->random = seed;
    sim->stats = stats;
    sim->violation = violation;
    sim->trace = getenv("PGCONVOY_SIM_TRACE") != NULL;
    sim_setup(sim);
    if (violation[0] == '\0')
        play(sim);
    for (size_t c = 0; c < sim->coordinator_count; c++) {
        engine_free(sim->coordinators[c].engine);
        free(sim->coordinators[c].job_leases);
    }
    free(sim->events);
    free(sim->tasks);
    free(sim->units);
    free(sim);
    if (violation[0] == '\0')
        return true;
    memcpy(ret_violation, violation, SIM_TEXT);
    return false;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 0) : otherwise;
}

uint64_t sim_base_seed(uint64_t otherwise)
{
    return from_environment("PGCONVOY_SIM_SEED", otherwise);
}

uint64_t sim_run_count(uint64_t otherwise)
{
    return from_environment("PGCONVOY_SIM_RUNS", otherwise);
}
