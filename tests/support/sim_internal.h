/* Simulator, inside. Everything of a run hangs on one Sim; tables have fixed sizes where a run is bounded by
 * its parameters and grow where it is not. */
#pragma once
#include "coordinator/engine.h"
#include "tests/support/sim.h"

#define SIM_SCHEMAS 40
#define SIM_ROWS 60
#define SIM_MIGRATIONS 3
#define SIM_DATABASES 3
#define SIM_COORDINATORS 2
#define SIM_PROCESSES 512
#define SIM_NOBODY UINT32_MAX

typedef enum SimKind {
    SIM_AT_ENGINE,  /* a message or a host's own event reaches a coordinator */
    SIM_AT_WORKER,  /* a lease or an abort reaches a worker */
    SIM_STEP,       /* a task goes on */
    SIM_DETECT,     /* the coordinator gives a worker up if it still has reason to */
    SIM_RESUME,     /* a hang or a partition ends */
    SIM_JOIN,       /* a worker greets its coordinator */
    SIM_SERVER_END, /* the server ends a session and with it its transaction */
    SIM_PULL,       /* a host gets round to asking its engine */
    SIM_NOISE,      /* a peer talks nonsense */
} SimKind;

typedef struct SimEvent {
    int64_t at_ms;
    uint64_t sequence;
    SimKind kind;
    uint32_t coordinator;
    uint32_t process;
    uint32_t task; /* or the first of `count`, the leases of one job */
    uint32_t count;
    int64_t departed_ms; /* a message whose sender died before is lost */
    EngineEvent event;
} SimEvent;

/* One schema of the model server. */
typedef struct SimSchema {
    uint32_t database;
    uint8_t effects[SIM_MIGRATIONS]; /* times each migration was committed */
    uint32_t holder;                 /* task whose session has the lock, or SIM_NOBODY */
    uint32_t finisher;               /* task that committed the last migration */
    int64_t finished_ms;
    int64_t foreign_lock_ms; /* somebody else has the lock until then */
    bool missing;
    bool poison; /* kills the worker that runs it */
    int broken;  /* migration that fails, or -1 */
    uint64_t broken_key;
} SimSchema;

typedef enum SimTaskState { SIM_SENT, SIM_QUEUED, SIM_RUNNING, SIM_ENDED } SimTaskState;

/* A lease as its worker sees it. */
typedef struct SimTask {
    uint32_t coordinator, row, attempt, process;
    uint32_t worker; /* the number under which the process got it */
    uint32_t unit;
    SimTaskState state;
    bool in_transaction;
    bool wrote;
    Outcome outcome;
    uint64_t key;
    bool result_arrived; /* at the engine */
} SimTask;

/* What fills one slot of a worker: a tenant, or a set job. */
typedef struct SimUnit {
    uint32_t unfinished;
    bool started;
} SimUnit;

/* A worker process. */
typedef struct SimProcess {
    uint32_t coordinator;
    uint32_t worker;        /* its present number */
    int64_t slots, running; /* in units */
    bool reaches[SIM_DATABASES];
    bool joined, dead, left, draining, aborting, cancelling;
    bool given_up; /* by the coordinator, under its present number */
    int64_t died_ms;
    int64_t hung_until_ms;
    int64_t cut_off_until_ms;
} SimProcess;

/* What an observer who sees only events and actions knows of a tenant, a worker and a job. */
typedef struct SimRow {
    uint32_t schema;
    uint32_t predecessor;
    uint32_t batch;
    uint32_t attempt;
    uint32_t worker;
    uint64_t job;
    unsigned deaths;
    bool leased, started, recovering, superseded, announced; /* superseded: an old attempt's failure came */
    TenantState state;
    int64_t verdict_ms;
} SimRow;

typedef struct SimPeer {
    uint32_t process;
    bool live, draining, alone;
    int64_t slots, ahead; /* at most so many wait in front of the slots, ... */
    int64_t ended;        /* ... and no more than have ended, once that is more than the slots */
    int64_t in_flight, in_flight_of[SIM_DATABASES];
    bool reaches[SIM_DATABASES];
} SimPeer;

typedef struct SimCoordinator {
    Engine *engine;
    EngineSpec spec;
    int64_t budgets[SIM_DATABASES];
    SimRow rows[SIM_ROWS];
    SimPeer peers[SIM_PROCESSES]; /* by worker number */
    size_t peer_count;
    uint32_t *job_leases; /* unfinished ones of each job, by its number */
    size_t job_capacity;
    size_t batch_open[SIM_ROWS + 1];
    int64_t in_flight, in_flight_of[SIM_DATABASES];
    int64_t equal_count;
    uint64_t equal_key;
    bool unequal, aborted, told_abort, told_cancel, complete;
    unsigned abort_on_failure; /* in thousandths */
} SimCoordinator;

typedef struct Sim {
    uint64_t random;
    int64_t now_ms;
    uint64_t sequence;
    SimStats *stats;
    bool trace;      /* print what every engine is told and answers */
    char *violation; /* of SIM_TEXT bytes; empty while all is well */
    SimEvent *events;
    size_t event_count, event_capacity;
    SimSchema schemas[SIM_SCHEMAS];
    size_t schema_count, migration_count, database_count;
    SimTask *tasks;
    size_t task_count, task_capacity;
    SimUnit *units;
    size_t unit_count, unit_capacity;
    SimProcess processes[SIM_PROCESSES];
    size_t process_count;
    SimCoordinator coordinators[SIM_COORDINATORS];
    size_t coordinator_count;
    /* The weather, in thousandths. */
    unsigned loss, duplication, crash, crash_after_commit, hang, cut_off, drain, unknown;
    int64_t most_delay_ms, most_work_ms;
    int faults_left;
} Sim;

/* sim_setup.c */
void sim_setup(Sim *sim);
uint32_t sim_process_new(Sim *sim, uint32_t coordinator, const bool reaches[SIM_DATABASES], int64_t slots);

/* sim_wire.c: chance and the agenda */
uint64_t sim_random(Sim *sim);
int64_t sim_between(Sim *sim, int64_t least, int64_t most);
bool sim_chance(Sim *sim, unsigned thousandths);
void *sim_grow(void *items, size_t *capacity, size_t count, size_t size);
void sim_schedule(Sim *sim, SimEvent event, int64_t delay_ms);
bool sim_pop(Sim *sim, SimEvent *ret_event);
void sim_send_to_engine(Sim *sim, uint32_t process, uint32_t task, EngineEvent event);
void sim_send_to_worker(Sim *sim, uint32_t process, SimEvent message);
void sim_violation(Sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* sim_worker.c */
void sim_worker_receive(Sim *sim, const SimEvent *event);
void sim_worker_resume(Sim *sim, uint32_t process);
void sim_task_step(Sim *sim, uint32_t task);
void sim_server_end(Sim *sim, uint32_t task);

/* sim_observer.c: sees what an engine is told and what it answers, and judges */
void sim_observe_event(Sim *sim, SimCoordinator *coordinator, const EngineEvent *event);
void sim_observe_action(Sim *sim, SimCoordinator *coordinator, const EngineAction *action);
void sim_observe_end(Sim *sim);
