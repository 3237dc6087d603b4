/* Schedules compared: how long a run takes in batches, rolling, and rolling with the longest tenants first,
 * for tenants of uneven size. The engine decides, in virtual time; nothing is waited for.
 *
 *   bench-schedules [TENANTS [SLOTS]]
 *
 * Prints a line for each distribution of work: the shortest time there could be, and what each schedule takes
 * above it.
 */
#include "coordinator/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Shape {
    const char *name;
    double (*work_ms)(double uniform); /* from a number between 0 and 1 */
} Shape;

/* All alike; tenfold between small and large; log-normal, as databases' sizes are; one in a thousand as heavy
 * as a thousand others. */
static double even(double uniform)
{
    (void)uniform;
    return 20;
}

static double tenfold(double uniform)
{
    return 4 + 36 * uniform;
}

static double log_normal(double uniform)
{
    double normal = (pow(uniform, 0.135) - pow(1 - uniform, 0.135)) / 0.1975;
    return 10 * exp(1.2 * normal);
}

static double giants(double uniform)
{
    return uniform < 0.001 ? 10000 : 10;
}

static const Shape SHAPES[] = {
    {"even", even}, {"tenfold", tenfold}, {"log-normal", log_normal}, {"giants", giants}};

static int64_t *draw(const Shape *shape, size_t tenants)
{
    int64_t *work_ms = calloc(tenants, sizeof *work_ms);
    uint64_t random = 42;
    for (size_t i = 0; work_ms != NULL && i < tenants; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        work_ms[i] = (int64_t)ceil(shape->work_ms(((double)(random >> 40) + 0.5) / (1 << 24)));
    }
    return work_ms;
}

static int longest_first(const void *a, const void *b)
{
    const int64_t *one = a, *other = b;
    return *one < *other ? 1 : *one > *other ? -1 : 0;
}

/* One worker with as many slots; each slot takes the tenants that it was given one after another. */
typedef struct Slots {
    int64_t *until_ms; /* by lease: when it ends */
    EngineLease *leases;
    size_t busy;
} Slots;

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void apply(Engine *engine, const EngineEvent *event, int64_t now_ms)
{
    ERROR_CLEANUP Error error = {0};
    if (!engine_apply(engine, event, now_ms, &error))
        die(error.message);
}

static void begin(Slots *slots, const EngineAction *action, const int64_t *work_ms, int64_t now_ms)
{
    for (size_t i = 0; i < action->lease_count; i++) {
        slots->leases[slots->busy] = action->leases[i];
        slots->until_ms[slots->busy++] = now_ms + work_ms[action->leases[i].tenant];
    }
}

/* Ends the lease that ends first; returns when. */
static int64_t end_next(Slots *slots, Engine *engine)
{
    size_t first = 0;
    for (size_t i = 1; i < slots->busy; i++)
        first = slots->until_ms[i] < slots->until_ms[first] ? i : first;
    int64_t now_ms = slots->until_ms[first];
    EngineLease lease = slots->leases[first];
    slots->busy--;
    slots->until_ms[first] = slots->until_ms[slots->busy];
    slots->leases[first] = slots->leases[slots->busy];
    apply(engine,
          &(EngineEvent){.kind = ENGINE_FINISHED,
                         .worker = 1,
                         .tenant = lease.tenant,
                         .attempt = lease.attempt,
                         .outcome = OUTCOME_APPLIED},
          now_ms);
    return now_ms;
}

/* Virtual milliseconds from the first dispatch to the last result. */
static int64_t run(EngineSchedule schedule, const int64_t *work_ms, size_t tenants, int64_t slot_count)
{
    ERROR_CLEANUP Error error = {0};
    EngineTenant *rows = calloc(tenants, sizeof *rows);
    Slots slots = {calloc((size_t)slot_count, sizeof *slots.until_ms),
                   calloc((size_t)slot_count, sizeof *slots.leases), 0};
    if (rows == NULL || slots.until_ms == NULL || slots.leases == NULL)
        die("out of memory");
    for (size_t i = 0; i < tenants; i++)
        rows[i].predecessor = ENGINE_NONE;
    Engine *engine = engine_new(&(EngineSpec){.tenants = rows,
                                              .tenant_count = tenants,
                                              .budgets = &slot_count,
                                              .database_count = 1,
                                              .concurrency = slot_count,
                                              .schedule = schedule,
                                              .tenants_per_job = 1,
                                              .max_failures = -1},
                                &error);
    if (engine == NULL)
        die(error.message);
    bool reached = true;
    apply(
        engine,
        &(EngineEvent){.kind = ENGINE_WORKER_JOINED, .worker = 1, .slots = slot_count, .databases = &reached},
        0);
    int64_t now_ms = 0;
    for (bool complete = false; !complete;) {
        EngineAction action;
        while (engine_next(engine, now_ms, &action)) {
            complete |= action.kind == ENGINE_COMPLETE;
            if (action.kind == ENGINE_DISPATCH)
                begin(&slots, &action, work_ms, now_ms);
        }
        if (!complete)
            now_ms = end_next(&slots, engine);
    }
    engine_free(engine);
    free(rows);
    free(slots.until_ms);
    free(slots.leases);
    return now_ms;
}

static void compare(const Shape *shape, size_t tenants, int64_t slots)
{
    int64_t *work_ms = draw(shape, tenants);
    if (work_ms == NULL)
        die("out of memory");
    double total_ms = 0, longest_ms = 0;
    for (size_t i = 0; i < tenants; i++) {
        total_ms += (double)work_ms[i];
        longest_ms = (double)work_ms[i] > longest_ms ? (double)work_ms[i] : longest_ms;
    }
    double least_ms = total_ms / (double)slots > longest_ms ? total_ms / (double)slots : longest_ms;
    double batch = (double)run(ENGINE_BATCH, work_ms, tenants, slots) / least_ms;
    double rolling = (double)run(ENGINE_ROLLING, work_ms, tenants, slots) / least_ms;
    qsort(work_ms, tenants, sizeof *work_ms, longest_first);
    double sorted = (double)run(ENGINE_ROLLING, work_ms, tenants, slots) / least_ms;
    printf("%-10s tenants=%zu slots=%lld least_s=%.1f batch=%.2f rolling=%.3f longest_first=%.3f\n",
           shape->name, tenants, (long long)slots, least_ms / 1000, batch, rolling, sorted);
    free(work_ms);
}

int main(int argc, char **argv)
{
    long tenants = argc > 1 ? strtol(argv[1], NULL, 10) : 10000,
         slots = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
    if (tenants < 1 || slots < 1 || slots > ENGINE_MAX_SLOTS)
        die("usage: bench-schedules [TENANTS [SLOTS]]");
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
        compare(&SHAPES[i], (size_t)tenants, slots);
    return 0;
}
