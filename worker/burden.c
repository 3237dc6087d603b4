#include "worker/burden.h"
#include <string.h>

bool burden_add_job(Burden *burden, const JobMessage *job, size_t size, const Outbox *outbox, size_t slots,
                    Error *error)
{
    size_t tenants_max = BURDEN_TENANTS_PER_SLOT * slots;
    size_t bytes_max = BURDEN_BYTES + BURDEN_BYTES_PER_SLOT * slots;
    if (burden->tenants + job->tenants.count > tenants_max)
        return error_set(error, ERROR_PROTOCOL,
                         "job %lld comes with %zu tenants while %zu are in flight, the limit is %zu",
                         (long long)job->job, job->tenants.count, burden->tenants, tenants_max);
    if (burden->bytes + size > bytes_max || outbox_bytes(outbox) > 2 * bytes_max)
        return error_set(error, ERROR_PROTOCOL,
                         "job %lld comes while %zu bytes of jobs and %zu of unacknowledged results are kept, "
                         "the limits are %zu and %zu",
                         (long long)job->job, burden->bytes, outbox_bytes(outbox), bytes_max, 2 * bytes_max);
    burden->tenants += job->tenants.count;
    burden->bytes += job->tenants.count > 0 ? size : 0;
    return true;
}

void burden_drop_tenant(Burden *burden)
{
    if (burden->tenants == 0)
        return;
    burden->bytes -= burden->bytes / burden->tenants;
    burden->tenants--;
}

bool burden_has_bundle(const Burden *burden, const char *digest)
{
    return burden->bundle != NULL && strcmp(burden->bundle->bundle.digest, digest) == 0;
}

/* Where an earlier bundle may be kept: a place of its own, or of one that nobody else uses any more. */
static SharedBundle **free_place(Burden *burden)
{
    SharedBundle **place = NULL;
    for (size_t i = 0; i < BURDEN_BUNDLES; i++) {
        SharedBundle **earlier = &burden->earlier[i];
        if (*earlier != NULL && atomic_load(&(*earlier)->references) == 1) {
            shared_bundle_release(*earlier);
            *earlier = NULL;
        }
        if (*earlier == NULL)
            place = earlier;
    }
    return place;
}

bool burden_add_bundle(Burden *burden, SharedBundle *bundle, Error *error)
{
    SharedBundle **place = free_place(burden);
    if (place == NULL) {
        shared_bundle_release(bundle);
        return error_set(error, ERROR_PROTOCOL, "migrations come while jobs in flight use %d others",
                         BURDEN_BUNDLES + 1);
    }
    *place = burden->bundle;
    burden->bundle = bundle;
    return true;
}

void burden_drop_bundle(Burden *burden)
{
    shared_bundle_release(burden->bundle);
    burden->bundle = NULL;
}

void burden_clear(Burden *burden)
{
    burden_drop_bundle(burden);
    for (size_t i = 0; i < BURDEN_BUNDLES; i++)
        shared_bundle_release(burden->earlier[i]);
    *burden = (Burden){0};
}
