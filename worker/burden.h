/* Burden: what one coordinator makes this worker hold, and how much that may be.
 *
 * A coordinator gives a worker no more than its slots can do, hears of results and acknowledges them. One
 * that goes on giving without listening, or changes the migrations under the jobs that use them, is told so
 * by the end of the session. Bytes are those of the messages, shared evenly among their tenants. Loop thread
 * only.
 */
#pragma once
#include "worker/executor.h"
#include "worker/outbox.h"

enum {
    BURDEN_TENANTS_PER_SLOT = 2000, /* in flight: two jobs of a set operation, and those of a lost session */
    BURDEN_BYTES = 64 << 20,        /* of jobs, and half of what may wait to be acknowledged; ... */
    BURDEN_BYTES_PER_SLOT = 128 << 10, /* ... and so much more for each slot */
    BURDEN_BUNDLES = 3,                /* earlier ones that jobs in flight still use */
};

/* A zeroed one is empty. */
typedef struct Burden {
    size_t tenants;       /* accepted and not yet in a RESULT */
    size_t bytes;         /* of their jobs */
    SharedBundle *bundle; /* the newest; NULL = none */
    SharedBundle *earlier[BURDEN_BUNDLES];
} Burden;

/* Counts a job of `size` bytes. ERROR_PROTOCOL when the coordinator gives more than this worker holds. */
bool burden_add_job(Burden *burden, const JobMessage *job, size_t size, const Outbox *outbox, size_t slots,
                    Error *error) MUST_CHECK;

/* One of the tenants has its result. */
void burden_drop_tenant(Burden *burden);

bool burden_has_bundle(const Burden *burden, const char *digest);

/* Takes over a bundle as the newest. ERROR_PROTOCOL when too many earlier ones are in use. */
bool burden_add_bundle(Burden *burden, SharedBundle *bundle, Error *error) MUST_CHECK;
void burden_drop_bundle(Burden *burden); /* the newest */

void burden_clear(Burden *burden);
