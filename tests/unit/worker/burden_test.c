#include "tests/support/test.h"
#include "worker/burden.h"
#include <stdio.h>

static JobMessage job_of(size_t tenants)
{
    return (JobMessage){.job = 1, .tenants = {.count = tenants}};
}

static void jobs_beyond_the_slots_are_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Burden burden = {0};
    Outbox outbox = {0};
    JobMessage job = job_of(500);
    for (int i = 0; i < 8; i++)
        assert_true(burden_add_job(&burden, &job, 1000, &outbox, 2, &error));
    assert_false(burden_add_job(&burden, &job, 1000, &outbox, 2, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    for (int i = 0; i < 500; i++)
        burden_drop_tenant(&burden);
    assert_true(burden_add_job(&burden, &job, 1000, &outbox, 2, &error));
}

/* However jobs of different sizes mix and end, nothing is left of them in the sum. */
static void bytes_go_with_their_tenants(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Burden burden = {0};
    Outbox outbox = {0};
    JobMessage large = job_of(3), small = job_of(1);
    for (int i = 0; i < 1000; i++) {
        assert_true(burden_add_job(&burden, i % 2 == 0 ? &large : &small, i % 2 == 0 ? 1 << 20 : 10, &outbox,
                                   4, &error));
        burden_drop_tenant(&burden);
        burden_drop_tenant(&burden);
        assert_true(burden.bytes <= 3 << 20);
    }
    while (burden.tenants > 0)
        burden_drop_tenant(&burden);
    assert_int_equal(burden.bytes, 0);
    burden_drop_tenant(&burden);
    assert_false(
        burden_add_job(&burden, &small, BURDEN_BYTES + 5 * BURDEN_BYTES_PER_SLOT, &outbox, 4, &error));
}

static void results_that_nobody_acknowledges_count(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Burden burden = {0};
    Outbox outbox = {.kept_bytes = 2 * BURDEN_BYTES};
    JobMessage job = job_of(1);
    assert_true(burden_add_job(&burden, &job, 10, &outbox, 1, &error));
    outbox.kept_bytes += 2 * BURDEN_BYTES_PER_SLOT + 1;
    assert_false(burden_add_job(&burden, &job, 10, &outbox, 1, &error));
}

static SharedBundle *bundle_new(const char *digest)
{
    SharedBundle *bundle = calloc(1, sizeof *bundle);
    assert_non_null(bundle);
    atomic_init(&bundle->references, 1);
    strcpy(bundle->bundle.digest, digest);
    return bundle;
}

static void bundles_in_use_are_few(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Burden burden = {0};
    SharedBundle *used[BURDEN_BUNDLES + 1];
    for (int i = 0; i <= BURDEN_BUNDLES; i++) {
        char digest[8];
        snprintf(digest, sizeof digest, "%d", i);
        used[i] = bundle_new(digest);
        atomic_fetch_add(&used[i]->references, 1); /* a job in flight */
        assert_true(burden_add_bundle(&burden, used[i], &error));
        assert_true(burden_has_bundle(&burden, digest));
    }
    assert_false(burden_add_bundle(&burden, bundle_new("more"), &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    assert_false(burden_has_bundle(&burden, "more"));
    shared_bundle_release(used[1]);
    assert_true(burden_add_bundle(&burden, bundle_new("more"), &error));
    assert_true(burden_has_bundle(&burden, "more"));
    burden_clear(&burden);
    for (int i = 0; i <= BURDEN_BUNDLES; i++)
        if (i != 1)
            shared_bundle_release(used[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_beyond_the_slots_are_refused),
        cmocka_unit_test(bytes_go_with_their_tenants),
        cmocka_unit_test(results_that_nobody_acknowledges_count),
        cmocka_unit_test(bundles_in_use_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
