/* The model worker and the model server it talks to: one transaction per migration, under the schema's lock,
 * which looks into the tracking table before it applies anything. */
#include "tests/support/sim_internal.h"

static SimSchema *schema_of(Sim *sim, const SimTask *task)
{
    return &sim->schemas[sim->coordinators[task->coordinator].rows[task->row].schema];
}

static bool is_applied(const Sim *sim, const SimSchema *schema)
{
    for (size_t m = 0; m < sim->migration_count; m++) {
        if (schema->effects[m] == 0)
            return false;
    }
    return true;
}

static void unlock(Sim *sim, uint32_t task)
{
    SimSchema *schema = schema_of(sim, &sim->tasks[task]);
    if (schema->holder == task)
        schema->holder = SIM_NOBODY;
    sim->tasks[task].in_transaction = false;
}

/* Idle-in-transaction timeout, or the server noticing that its client is gone: rolled back, lock free. */
void sim_server_end(Sim *sim, uint32_t task)
{
    if (sim->tasks[task].in_transaction)
        unlock(sim, task);
}

static void report(Sim *sim, uint32_t index)
{
    const SimTask *task = &sim->tasks[index];
    sim_send_to_engine(sim, task->process, index,
                       (EngineEvent){.kind = ENGINE_FINISHED,
                                     .worker = task->worker,
                                     .tenant = task->row,
                                     .attempt = task->attempt,
                                     .outcome = task->outcome,
                                     .failure_key = task->key});
}

static void end_task(Sim *sim, uint32_t index, Outcome outcome, uint64_t key)
{
    SimTask *task = &sim->tasks[index];
    SimUnit *unit = &sim->units[task->unit];
    task->state = SIM_ENDED;
    task->outcome = outcome;
    task->key = key;
    if (--unit->unfinished == 0 && unit->started)
        sim->processes[task->process].running--;
    report(sim, index);
}

static void start_task(Sim *sim, uint32_t index)
{
    SimTask *task = &sim->tasks[index];
    task->state = SIM_RUNNING;
    sim_send_to_engine(
        sim, task->process, index,
        (EngineEvent){
            .kind = ENGINE_STARTED, .worker = task->worker, .tenant = task->row, .attempt = task->attempt});
    sim_schedule(sim, (SimEvent){.kind = SIM_STEP, .task = index}, sim_between(sim, 0, 3));
}

static void leave_when_drained(Sim *sim, uint32_t index)
{
    SimProcess *process = &sim->processes[index];
    if (!process->draining || process->left || process->running > 0)
        return;
    process->left = true;
    sim_schedule(sim, (SimEvent){.kind = SIM_DETECT, .process = index}, sim_between(sim, 0, 8000));
    uint32_t successor = sim_process_new(sim, process->coordinator, process->reaches, sim_between(sim, 1, 6));
    sim_schedule(sim, (SimEvent){.kind = SIM_JOIN, .process = successor}, sim_between(sim, 0, 5000));
}

/* Starts what the slots allow, in order of arrival; hands back what will not be started. */
static void pump(Sim *sim, uint32_t index)
{
    SimProcess *process = &sim->processes[index];
    if (process->dead)
        return;
    bool refusing = process->draining || process->aborting;
    int64_t free_slots = process->slots - process->running;
    for (uint32_t i = 0; i < sim->task_count; i++) {
        if (sim->tasks[i].process != index || sim->tasks[i].state != SIM_QUEUED)
            continue;
        if (refusing) {
            end_task(sim, i, OUTCOME_NOT_STARTED, 0);
            continue;
        }
        if (free_slots-- <= 0)
            break;
        uint32_t unit = sim->tasks[i].unit;
        sim->units[unit].started = true;
        process->running++;
        for (uint32_t j = i; j < sim->task_count && sim->tasks[j].unit == unit; j++)
            start_task(sim, j);
    }
    leave_when_drained(sim, index);
}

/* A dead process's sessions live on in the server until it notices. */
static void crash(Sim *sim, uint32_t index)
{
    SimProcess *process = &sim->processes[index];
    sim->stats->crashes++;
    sim->faults_left--;
    process->dead = true;
    process->died_ms = sim->now_ms;
    for (uint32_t i = 0; i < sim->task_count; i++) {
        if (sim->tasks[i].process == index && sim->tasks[i].in_transaction)
            sim_schedule(sim, (SimEvent){.kind = SIM_SERVER_END, .task = i}, sim_between(sim, 0, 5000));
    }
    if (!process->given_up)
        sim_schedule(sim, (SimEvent){.kind = SIM_DETECT, .process = index}, sim_between(sim, 1, 15000));
    uint32_t successor = sim_process_new(sim, process->coordinator, process->reaches, sim_between(sim, 1, 6));
    sim_schedule(sim, (SimEvent){.kind = SIM_JOIN, .process = successor}, sim_between(sim, 0, 5000));
}

/* Both look dead to the coordinator after 15 s; a process that is cut off works on meanwhile. */
static void fall_silent(Sim *sim, uint32_t index, bool hang)
{
    SimProcess *process = &sim->processes[index];
    int64_t lasts_ms = sim_between(sim, 100, 40000);
    sim->faults_left--;
    if (hang) {
        sim->stats->hangs++;
        process->hung_until_ms = sim->now_ms + lasts_ms;
        for (uint32_t i = 0; i < sim->task_count; i++) {
            if (sim->tasks[i].process == index && sim->tasks[i].in_transaction && sim_chance(sim, 500))
                sim_schedule(sim, (SimEvent){.kind = SIM_SERVER_END, .task = i},
                             sim_between(sim, 0, lasts_ms));
        }
    } else {
        sim->stats->partitions++;
        process->cut_off_until_ms = sim->now_ms + lasts_ms;
    }
    sim_schedule(sim, (SimEvent){.kind = SIM_DETECT, .process = index}, 15000);
    sim_schedule(sim, (SimEvent){.kind = SIM_RESUME, .process = index}, lasts_ms);
}

/* Whoever was given up comes back under a new number. */
void sim_worker_resume(Sim *sim, uint32_t index)
{
    const SimProcess *process = &sim->processes[index];
    if (process->dead || process->left || !process->given_up)
        return;
    sim_schedule(sim, (SimEvent){.kind = SIM_JOIN, .process = index}, sim_between(sim, 0, 2000));
}

static void drain(Sim *sim, uint32_t index)
{
    SimProcess *process = &sim->processes[index];
    sim->stats->drains++;
    sim->faults_left--;
    process->draining = true;
    sim_send_to_engine(sim, index, SIM_NOBODY,
                       (EngineEvent){.kind = ENGINE_WORKER_DRAINING, .worker = process->worker});
    pump(sim, index);
}

/* True when the process is no more. Whatever comes after a hang waits for its end. */
static bool disturb(Sim *sim, uint32_t index, bool committed)
{
    SimProcess *process = &sim->processes[index];
    if (sim->faults_left <= 0)
        return false;
    if (sim_chance(sim, committed ? sim->crash_after_commit : sim->crash)) {
        sim->stats->crashes_after_commit += committed;
        crash(sim, index);
        return true;
    }
    bool silent = process->hung_until_ms > sim->now_ms || process->cut_off_until_ms > sim->now_ms;
    if (!silent && sim_chance(sim, sim->hang))
        fall_silent(sim, index, true);
    else if (!silent && sim_chance(sim, sim->cut_off))
        fall_silent(sim, index, false);
    else if (!process->draining && sim_chance(sim, sim->drain))
        drain(sim, index);
    return false;
}

/* Takes the lock and looks; leaves with a transaction open, or with an outcome. */
static void begin(Sim *sim, uint32_t index)
{
    SimTask *task = &sim->tasks[index];
    SimSchema *schema = schema_of(sim, task);
    Outcome outcome = OUTCOME_COUNT;
    if (sim->processes[task->process].cancelling) /* looks at nothing any more, but knows what it wrote */
        outcome = task->wrote && is_applied(sim, schema) ? OUTCOME_APPLIED : OUTCOME_CANCELLED;
    else if (schema->missing)
        outcome = OUTCOME_NO_SCHEMA;
    else if (schema->holder != SIM_NOBODY || schema->foreign_lock_ms > sim->now_ms)
        outcome = OUTCOME_BUSY;
    else if (is_applied(sim, schema))
        outcome = task->wrote ? OUTCOME_APPLIED : OUTCOME_ALREADY;
    if (outcome != OUTCOME_COUNT) {
        end_task(sim, index, outcome, 0);
        return;
    }
    schema->holder = index;
    task->in_transaction = true;
    sim_schedule(sim, (SimEvent){.kind = SIM_STEP, .task = index}, sim_between(sim, 1, sim->most_work_ms));
}

static void commit(Sim *sim, uint32_t index)
{
    SimTask *task = &sim->tasks[index];
    SimSchema *schema = schema_of(sim, task);
    size_t m = 0;
    while (schema->effects[m] > 0)
        m++;
    unlock(sim, index);
    if (schema->broken == (int)m) {
        end_task(sim, index, OUTCOME_ERROR, schema->broken_key);
        return;
    }
    bool unknown = sim_chance(sim, sim->unknown);
    if (!unknown || sim_chance(sim, 500)) {
        task->wrote = true;
        schema->effects[m]++;
        schema->finisher = index;
        schema->finished_ms = sim->now_ms;
    }
    if (unknown)
        end_task(sim, index, OUTCOME_UNKNOWN, 0);
    else if (!disturb(sim, task->process, true))
        sim_schedule(sim, (SimEvent){.kind = SIM_STEP, .task = index}, sim_between(sim, 0, 3));
}

void sim_task_step(Sim *sim, uint32_t index)
{
    SimTask *task = &sim->tasks[index];
    uint32_t process_index = task->process;
    const SimProcess *process = &sim->processes[process_index];
    if (process->dead || task->state != SIM_RUNNING)
        return;
    if (process->hung_until_ms > sim->now_ms) {
        sim_schedule(sim, (SimEvent){.kind = SIM_STEP, .task = index},
                     process->hung_until_ms - sim->now_ms + sim_between(sim, 0, 3));
        return;
    }
    if (task->in_transaction && schema_of(sim, task)->poison) {
        crash(sim, process_index);
        return;
    }
    if (disturb(sim, process_index, false))
        return;
    if (process->hung_until_ms > sim->now_ms) {
        sim_task_step(sim, index); /* again, later */
        return;
    }
    if (task->in_transaction)
        commit(sim, index);
    else
        begin(sim, index);
    pump(sim, process_index);
}

/* A job, or a copy of one: then the results that are there already are said again. */
static void receive_job(Sim *sim, const SimEvent *message)
{
    for (uint32_t i = message->task; i < message->task + message->count; i++) {
        if (sim->tasks[i].state == SIM_SENT)
            sim->tasks[i].state = SIM_QUEUED;
        else if (sim->tasks[i].state == SIM_ENDED)
            report(sim, i);
    }
    pump(sim, message->process);
}

static void receive_abort(Sim *sim, uint32_t index, bool cancel)
{
    SimProcess *process = &sim->processes[index];
    process->aborting = true;
    process->cancelling = process->cancelling || cancel;
    for (uint32_t i = 0; process->cancelling && i < sim->task_count; i++) {
        if (sim->tasks[i].process != index || !sim->tasks[i].in_transaction)
            continue;
        unlock(sim, i);
        end_task(sim, i, OUTCOME_CANCELLED, 0);
    }
    pump(sim, index);
}

void sim_worker_receive(Sim *sim, const SimEvent *event)
{
    const SimProcess *process = &sim->processes[event->process];
    if (process->dead)
        return;
    if (process->hung_until_ms > sim->now_ms) {
        sim_schedule(sim, *event, process->hung_until_ms - sim->now_ms + sim_between(sim, 0, 3));
        return;
    }
    if (event->task != SIM_NOBODY)
        receive_job(sim, event);
    else
        receive_abort(sim, event->process, event->event.kind == ENGINE_CANCEL);
}
