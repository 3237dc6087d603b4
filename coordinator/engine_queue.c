#include "coordinator/engine_internal.h"
#include <stdlib.h>

void queue_init(Queue *queue)
{
    *queue = (Queue){.head = ENGINE_NONE, .tail = ENGINE_NONE};
}

void queue_push(Engine *engine, Queue *queue, uint32_t tenant)
{
    engine->rows[tenant].next = ENGINE_NONE;
    if (queue->tail == ENGINE_NONE)
        queue->head = tenant;
    else
        engine->rows[queue->tail].next = tenant;
    queue->tail = tenant;
    queue->count++;
}

void queue_push_front(Engine *engine, Queue *queue, uint32_t tenant)
{
    engine->rows[tenant].next = queue->head;
    queue->head = tenant;
    if (queue->tail == ENGINE_NONE)
        queue->tail = tenant;
    queue->count++;
}

uint32_t queue_pop(Engine *engine, Queue *queue)
{
    uint32_t tenant = queue->head;
    if (tenant == ENGINE_NONE)
        return ENGINE_NONE;
    queue->head = engine->rows[tenant].next;
    if (queue->head == ENGINE_NONE)
        queue->tail = ENGINE_NONE;
    queue->count--;
    return tenant;
}

bool retry_reserve(RetryHeap *heap)
{
    if (heap->count < heap->capacity)
        return true;
    size_t capacity = heap->capacity < 16 ? 16 : heap->capacity * 2;
    Retry *items = reallocarray(heap->items, capacity, sizeof(*items));
    if (items == NULL)
        return false;
    heap->items = items;
    heap->capacity = capacity;
    return true;
}

void retry_push(RetryHeap *heap, int64_t due_ms, uint32_t tenant)
{
    size_t hole = heap->count++;
    while (hole > 0 && heap->items[(hole - 1) / 2].due_ms > due_ms) {
        heap->items[hole] = heap->items[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    heap->items[hole] = (Retry){.due_ms = due_ms, .tenant = tenant};
}

uint32_t retry_pop_due(RetryHeap *heap, int64_t now_ms)
{
    if (heap->count == 0 || heap->items[0].due_ms > now_ms)
        return ENGINE_NONE;
    uint32_t tenant = heap->items[0].tenant;
    Retry last = heap->items[--heap->count];
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child + 1 < heap->count && heap->items[child + 1].due_ms < heap->items[child].due_ms)
            child++;
        if (child >= heap->count || heap->items[child].due_ms >= last.due_ms)
            break;
        heap->items[hole] = heap->items[child];
        hole = child;
    }
    heap->items[hole] = last;
    return tenant;
}
