/* Chance, the agenda, and a network that loses, delays, duplicates and reorders. */
#include "tests/support/sim_internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* splitmix64 */
uint64_t sim_random(Sim *sim)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t sim_between(Sim *sim, int64_t least, int64_t most)
{
    return least + (int64_t)(sim_random(sim) % (uint64_t)(most - least + 1));
}

bool sim_chance(Sim *sim, unsigned thousandths)
{
    return sim_random(sim) % 1000 < thousandths;
}

void sim_violation(Sim *sim, const char *format, ...)
{
    if (sim->violation[0] != '\0')
        return; /* the first one explains the others */
    int length = snprintf(sim->violation, SIM_TEXT, "at %lld ms: ", (long long)sim->now_ms);
    va_list args;
    va_start(args, format);
    vsnprintf(sim->violation + length, SIM_TEXT - (size_t)length, format, args);
    va_end(args);
}

void *sim_grow(void *items, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = reallocarray(items, *capacity, size);
    if (grown == NULL) {
        perror("simulator");
        exit(EXIT_FAILURE);
    }
    return grown;
}

static bool earlier(const SimEvent *a, const SimEvent *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

void sim_schedule(Sim *sim, SimEvent event, int64_t delay_ms)
{
    sim->events = sim_grow(sim->events, &sim->event_capacity, sim->event_count, sizeof(*sim->events));
    event.at_ms = sim->now_ms + delay_ms;
    event.sequence = sim->sequence++;
    size_t hole = sim->event_count++;
    while (hole > 0 && earlier(&event, &sim->events[(hole - 1) / 2])) {
        sim->events[hole] = sim->events[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    sim->events[hole] = event;
}

bool sim_pop(Sim *sim, SimEvent *ret_event)
{
    if (sim->event_count == 0)
        return false;
    *ret_event = sim->events[0];
    SimEvent last = sim->events[--sim->event_count];
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child + 1 < sim->event_count && earlier(&sim->events[child + 1], &sim->events[child]))
            child++;
        if (child >= sim->event_count || !earlier(&sim->events[child], &last))
            break;
        sim->events[hole] = sim->events[child];
        hole = child;
    }
    sim->events[hole] = last;
    return true;
}

/* Copies of one message: the first that gets through, perhaps after resends, and perhaps some more. */
static void send_copies(Sim *sim, uint32_t process, SimEvent event)
{
    int64_t cut_off_ms = sim->processes[process].cut_off_until_ms;
    int64_t departs_ms = cut_off_ms > sim->now_ms ? cut_off_ms : sim->now_ms;
    event.process = process;
    for (bool again = true; again; again = sim_chance(sim, sim->duplication)) {
        while (sim_chance(sim, sim->loss)) {
            departs_ms += sim_between(sim, 200, 3000);
            sim->stats->resent++;
        }
        event.departed_ms = departs_ms;
        sim_schedule(sim, event, departs_ms - sim->now_ms + sim_between(sim, 0, sim->most_delay_ms));
        departs_ms += sim_between(sim, 0, 2000);
    }
}

void sim_send_to_engine(Sim *sim, uint32_t process, uint32_t task, EngineEvent event)
{
    send_copies(sim, process,
                (SimEvent){.kind = SIM_AT_ENGINE,
                           .coordinator = sim->processes[process].coordinator,
                           .task = task,
                           .event = event});
}

void sim_send_to_worker(Sim *sim, uint32_t process, SimEvent event)
{
    event.kind = SIM_AT_WORKER;
    event.coordinator = sim->processes[process].coordinator;
    send_copies(sim, process, event);
}
