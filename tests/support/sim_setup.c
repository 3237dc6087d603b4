/* A run's parameters, all drawn from its seed. */
#include "tests/support/sim_internal.h"
#include <string.h>

/* One of `count` values, each as likely. */
static int64_t pick(Sim *sim, size_t count, const int64_t values[])
{
    return values[sim_random(sim) % count];
}
#define PICK(sim, ...) pick(sim, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

uint32_t sim_process_new(Sim *sim, uint32_t coordinator, const bool reaches[SIM_DATABASES], int64_t slots)
{
    if (sim->process_count == SIM_PROCESSES - 1)
        sim_violation(sim, "the run does not end: %zu workers were needed", sim->process_count);
    else
        sim->process_count++;
    SimProcess *process = &sim->processes[sim->process_count - 1];
    *process = (SimProcess){.coordinator = coordinator, .slots = slots, .died_ms = INT64_MAX};
    memcpy(process->reaches, reaches, sizeof(process->reaches));
    return (uint32_t)(sim->process_count - 1);
}

static void setup_weather(Sim *sim)
{
    sim->loss = (unsigned)PICK(sim, 0, 50, 300);
    sim->duplication = (unsigned)PICK(sim, 0, 100, 400);
    sim->most_delay_ms = PICK(sim, 1, 20, 500, 3000);
    sim->most_work_ms = PICK(sim, 2, 50, 400);
    sim->crash = (unsigned)PICK(sim, 0, 5, 30);
    sim->crash_after_commit = (unsigned)PICK(sim, 0, 20, 200);
    sim->hang = (unsigned)PICK(sim, 0, 0, 10, 40);
    sim->cut_off = (unsigned)PICK(sim, 0, 0, 10, 40);
    sim->drain = (unsigned)PICK(sim, 0, 0, 5, 20);
    sim->unknown = (unsigned)PICK(sim, 0, 0, 0, 20);
    sim->faults_left = (int)PICK(sim, 0, 3, 10, 40);
}

static void setup_server(Sim *sim)
{
    sim->schema_count = (size_t)sim_between(sim, 1, SIM_SCHEMAS);
    sim->migration_count = (size_t)sim_between(sim, 1, SIM_MIGRATIONS);
    sim->database_count = (size_t)sim_between(sim, 1, SIM_DATABASES);
    unsigned broken = (unsigned)PICK(sim, 0, 0, 0, 50, 500, 1000);
    unsigned locked = (unsigned)PICK(sim, 0, 0, 50);
    unsigned poison = (unsigned)PICK(sim, 0, 0, 0, 0, 40);
    int64_t one_key = PICK(sim, 0, 1);
    for (size_t i = 0; i < sim->schema_count; i++) {
        SimSchema *schema = &sim->schemas[i];
        *schema = (SimSchema){.database = (uint32_t)sim_between(sim, 0, (int64_t)sim->database_count - 1),
                              .holder = SIM_NOBODY,
                              .finisher = SIM_NOBODY,
                              .broken = -1};
        for (size_t m = 0; m < sim->migration_count && sim_chance(sim, 150); m++)
            schema->effects[m] = 1; /* by an earlier run */
        if (sim_chance(sim, broken)) {
            schema->broken = one_key ? (int)sim->migration_count - 1
                                     : (int)sim_between(sim, 0, (int64_t)sim->migration_count - 1);
            schema->broken_key = (uint64_t)schema->broken + 1;
        }
        schema->missing = sim_chance(sim, 10);
        schema->poison = sim_chance(sim, poison);
        if (sim_chance(sim, locked))
            schema->foreign_lock_ms = PICK(sim, 300, 4000, 60000, INT64_MAX);
    }
}

/* Every schema once, in random order, and some again. */
static size_t setup_rows(Sim *sim, SimCoordinator *coordinator)
{
    size_t count = 0;
    for (; count < sim->schema_count; count++) {
        size_t other = (size_t)sim_between(sim, 0, (int64_t)count);
        coordinator->rows[count].schema = coordinator->rows[other].schema;
        coordinator->rows[other].schema = (uint32_t)count;
    }
    unsigned again = (unsigned)PICK(sim, 0, 0, 300);
    for (size_t i = 0; i < sim->schema_count && count < SIM_ROWS; i++) {
        if (sim_chance(sim, again))
            coordinator->rows[count++].schema = coordinator->rows[i].schema;
    }
    uint32_t last[SIM_SCHEMAS];
    memset(last, 0xff, sizeof(last));
    for (size_t i = 0; i < count; i++) {
        SimRow *row = &coordinator->rows[i];
        row->predecessor = last[row->schema];
        row->worker = SIM_NOBODY;
        last[row->schema] = (uint32_t)i;
    }
    return count;
}

/* Which batch each row must be in: list order, alternating between the databases. 0 for all when the size
 * depends on the workers. */
static void setup_batches(Sim *sim, SimCoordinator *coordinator, size_t count)
{
    const EngineSpec *spec = &coordinator->spec;
    size_t size = (size_t)(spec->concurrency * (spec->set_jobs ? spec->tenants_per_job : 1));
    size_t next[SIM_DATABASES] = {0}, admitted = 0;
    for (size_t turn = 0; admitted < count; turn++) {
        size_t d = turn % sim->database_count;
        while (next[d] < count && sim->schemas[coordinator->rows[next[d]].schema].database != d)
            next[d]++;
        if (next[d] == count)
            continue;
        SimRow *row = &coordinator->rows[next[d]++];
        row->batch = size > 0 ? (uint32_t)(admitted / size) : 0;
        coordinator->batch_open[row->batch]++;
        admitted++;
    }
}

static void setup_coordinator(Sim *sim, uint32_t index)
{
    SimCoordinator *coordinator = &sim->coordinators[index];
    EngineTenant tenants[SIM_ROWS];
    size_t count = setup_rows(sim, coordinator);
    for (size_t i = 0; i < count; i++)
        tenants[i] = (EngineTenant){.database = sim->schemas[coordinator->rows[i].schema].database,
                                    .predecessor = coordinator->rows[i].predecessor};
    for (size_t d = 0; d < sim->database_count; d++)
        coordinator->budgets[d] = sim_between(sim, 1, 10);
    coordinator->spec = (EngineSpec){
        .tenants = tenants,
        .tenant_count = count,
        .budgets = coordinator->budgets,
        .database_count = sim->database_count,
        .concurrency = PICK(sim, 0, 1, 3, 10, 20),
        .schedule = (EngineSchedule)PICK(sim, ENGINE_BATCH, ENGINE_BATCH, ENGINE_ROLLING),
        .tenants_per_job = PICK(sim, 1, 1, 2, 10),
        .set_jobs = sim_chance(sim, 250),
        .lock_wait_ms = PICK(sim, 0, 2000, 20000, 120000),
        .max_failures = PICK(sim, -1, -1, -1, 0, 3),
        .equal_failures = PICK(sim, 0, 0, 0, 1, 5, 20),
        .seed = sim_random(sim),
    };
    coordinator->abort_on_failure = (unsigned)PICK(sim, 0, 0, 0, 0, 200, 1000);
    setup_batches(sim, coordinator, count);
    ERROR_CLEANUP Error error = {0};
    coordinator->engine = engine_new(&coordinator->spec, &error);
    if (coordinator->engine == NULL)
        sim_violation(sim, "engine refused its spec: %s", error.message);
    coordinator->spec.tenants = NULL;
}

/* Workers that together reach every database, some joining late; perhaps an operator with a trigger finger.
 */
static void setup_people(Sim *sim, uint32_t index)
{
    int64_t workers = sim_between(sim, 1, 4);
    for (int64_t w = 0; w < workers; w++) {
        bool reaches[SIM_DATABASES];
        for (size_t d = 0; d < SIM_DATABASES; d++)
            reaches[d] = w == 0 || sim_chance(sim, 600);
        uint32_t process = sim_process_new(sim, index, reaches, sim_between(sim, 1, 6));
        sim_schedule(sim, (SimEvent){.kind = SIM_JOIN, .process = process},
                     w == 0 ? 0 : sim_between(sim, 0, 3000));
    }
    SimEvent event = {.kind = SIM_AT_ENGINE, .coordinator = index, .process = SIM_NOBODY, .task = SIM_NOBODY};
    int64_t moment_ms = PICK(sim, 100, 2000, 20000);
    if (sim_chance(sim, 120)) {
        event.event.kind = ENGINE_ABORT;
        sim_schedule(sim, event, sim_between(sim, 0, moment_ms));
    }
    if (sim_chance(sim, 120)) {
        event.event.kind = ENGINE_CANCEL;
        sim_schedule(sim, event, sim_between(sim, 0, moment_ms));
    }
    for (int64_t n = PICK(sim, 0, 5); n > 0; n--)
        sim_schedule(sim, (SimEvent){.kind = SIM_NOISE, .coordinator = index}, sim_between(sim, 0, 5000));
}

void sim_setup(Sim *sim)
{
    setup_weather(sim);
    setup_server(sim);
    sim->coordinator_count = sim_chance(sim, 250) ? 2 : 1;
    for (uint32_t i = 0; i < sim->coordinator_count; i++) {
        setup_coordinator(sim, i);
        setup_people(sim, i);
        sim->stats->batch_runs += sim->coordinators[i].spec.schedule == ENGINE_BATCH;
        sim->stats->set_runs += sim->coordinators[i].spec.set_jobs;
    }
    sim->stats->paired_runs += sim->coordinator_count == 2;
    sim->stats->runs++;
}
