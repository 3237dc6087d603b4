#include "worker/ops/clone_order.h"
#include <stdlib.h>

typedef struct Ranked {
    int rank;
    size_t place;
} Ranked;

/* A walk through the needs, with a stack of its own: views on views can be many. */
typedef struct Walk {
    const CloneEdge *edges; /* by node */
    size_t edge_count;
    size_t *next; /* each node's next need to look at: an index into edges */
    bool *met;
    size_t *stack, depth;
    size_t *order, ordered;
} Walk;

static int by_rank(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static int by_node(const void *a, const void *b)
{
    const CloneEdge *x = a, *y = b;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return x->need < y->need ? -1 : x->need > y->need;
}

static size_t first_edge(const CloneEdge *edges, size_t count, size_t node)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (edges[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void push(Walk *walk, size_t node)
{
    walk->met[node] = true;
    walk->next[node] = first_edge(walk->edges, walk->edge_count, node);
    walk->stack[walk->depth++] = node;
}

static void walk_from(Walk *walk, size_t start)
{
    push(walk, start);
    while (walk->depth > 0) {
        size_t node = walk->stack[walk->depth - 1];
        size_t at = walk->next[node];
        if (at == walk->edge_count || walk->edges[at].node != node) {
            walk->order[walk->ordered++] = node;
            walk->depth--;
            continue;
        }
        walk->next[node]++;
        if (!walk->met[walk->edges[at].need])
            push(walk, walk->edges[at].need);
    }
}

/* From here on nodes are called by their place in the order of ranks, so that of several needs the one of the
 * lower rank is looked at first. */
static void rename_edges(CloneEdge *edges, size_t count, const size_t *place_of)
{
    for (size_t i = 0; i < count; i++)
        edges[i] = (CloneEdge){place_of[edges[i].node], place_of[edges[i].need]};
    if (count > 0)
        qsort(edges, count, sizeof *edges, by_node);
}

bool clone_order(const int *ranks, size_t count, CloneEdge *edges, size_t edge_count, size_t *ret_order,
                 Error *error)
{
    Ranked *ranked = calloc(count + 1, sizeof *ranked);
    size_t *room = calloc(3 * count + 1, sizeof *room);
    bool *met = calloc(count + 1, sizeof *met);
    bool good = ranked != NULL && room != NULL && met != NULL;
    if (good) {
        for (size_t i = 0; i < count; i++)
            ranked[i] = (Ranked){ranks[i], i};
        qsort(ranked, count, sizeof *ranked, by_rank);
        size_t *place_of = room;
        for (size_t i = 0; i < count; i++)
            place_of[ranked[i].place] = i;
        rename_edges(edges, edge_count, place_of);
        Walk walk = {.edges = edges,
                     .edge_count = edge_count,
                     .next = room + count,
                     .met = met,
                     .stack = room + 2 * count,
                     .order = ret_order};
        for (size_t i = 0; i < count; i++)
            if (!met[i])
                walk_from(&walk, i);
        for (size_t i = 0; i < count; i++)
            ret_order[i] = ranked[ret_order[i]].place;
    }
    free(ranked);
    free(room);
    free(met);
    return good || error_memory(error);
}
