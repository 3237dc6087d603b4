#include "proto/session_internal.h"
#include <stdlib.h>

SentFrame *frame_ring_at(const FrameRing *ring, size_t index)
{
    return &ring->frames[(ring->first + index) & (ring->capacity - 1)];
}

bool frame_ring_reserve(FrameRing *ring, size_t more)
{
    size_t capacity = ring->capacity > 0 ? ring->capacity : 16;
    while (capacity < ring->count + more)
        capacity *= 2;
    if (capacity == ring->capacity)
        return true;
    SentFrame *frames = malloc(capacity * sizeof *frames);
    if (frames == NULL)
        return false;
    for (size_t i = 0; i < ring->count; i++)
        frames[i] = *frame_ring_at(ring, i);
    free(ring->frames);
    *ring = (FrameRing){.frames = frames, .count = ring->count, .capacity = capacity};
    return true;
}

void frame_ring_push(FrameRing *ring, const SentFrame *frame)
{
    frame->payload->references++;
    *frame_ring_at(ring, ring->count++) = *frame;
}

void frame_ring_pop(FrameRing *ring)
{
    Payload *payload = frame_ring_at(ring, 0)->payload;
    if (--payload->references == 0)
        free(payload);
    ring->first = (ring->first + 1) & (ring->capacity - 1);
    ring->count--;
}

void frame_ring_clear(FrameRing *ring)
{
    while (ring->count > 0)
        frame_ring_pop(ring);
    free(ring->frames);
    *ring = (FrameRing){0};
}
