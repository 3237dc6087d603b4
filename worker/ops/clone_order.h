/* Clone order: which node comes after which. Pure. */
#pragma once
#include "common/error.h"
#include <stddef.h>

typedef struct CloneEdge {
    size_t node, need; /* places of nodes: `need` comes first */
} CloneEdge;

/* Fills ret_order with the places of all nodes, so that each comes after what it needs, and among those that
 * are free to choose the lower rank first, then the lower place. Sorts the edges. Needs that go in a circle
 * are as good as none: the server says what it lacks. */
bool clone_order(const int *ranks, size_t count, CloneEdge *edges, size_t edge_count, size_t *ret_order,
                 Error *error) MUST_CHECK;
