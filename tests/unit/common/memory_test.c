/* Out of memory is an error: each scenario runs again and again, with one more allocation granted every time,
 * until it succeeds. Before that it must fail cleanly and give everything back. */
#include "common/json.h"
#include "common/log.h"
#include "common/migration.h"
#include "common/results.h"
#include "common/secret.h"
#include "common/sql_file.h"
#include "common/tenant.h"
#include "common/utf8.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
/* These take the place of libc's functions for the whole program. */
#define INTERPOSED __attribute__((visibility("default")))
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

static long granted = -1; /* negative = without limit */
static long held;         /* blocks allocated and not freed */

static bool grant(void)
{
    if (granted == 0) {
        errno = ENOMEM;
        return false;
    }
    granted -= granted > 0;
    return true;
}

static void *count(void *block)
{
    held += block != NULL;
    return block;
}

INTERPOSED void *malloc(size_t size)
{
    return grant() ? count(__libc_malloc(size)) : NULL;
}

INTERPOSED void *calloc(size_t number, size_t size)
{
    return grant() ? count(__libc_calloc(number, size)) : NULL;
}

INTERPOSED void *realloc(void *block, size_t size)
{
    if (block == NULL)
        return malloc(size);
    return grant() ? __libc_realloc(block, size) : NULL;
}

INTERPOSED void free(void *block)
{
    held -= block != NULL;
    __libc_free(block);
}

/* Returns whether it succeeded; frees what it got either way. */
typedef bool Scenario(const void *input, Error *error);

/* At least `least` allocations must have been refused on the way, or the scenario tests nothing. */
static void run_until_success(Scenario *scenario, const void *input, long least)
{
    for (int warm_up = 0; warm_up < 2; warm_up++) { /* libraries keep what they allocate once */
        ERROR_CLEANUP Error error = {0};
        assert_true(scenario(input, &error));
    }
    bool done = false;
    long limit = 0;
    for (; !done && limit < 10000; limit++) {
        Error error = {0};
        long before = held;
        granted = limit;
        done = scenario(input, &error);
        granted = -1;
        assert_int_equal(error.code != ERROR_NONE, !done);
        error_clear(&error);
        assert_int_equal(held, before);
    }
    assert_true(done);
    assert_in_range(limit, least, 10000);
}

static bool copy_result(const void *input, Error *error)
{
    TenantMigrationResult copy;
    if (!record_copy(&TENANT_MIGRATION_RESULT, &copy, input, error))
        return false;
    record_clear(&TENANT_MIGRATION_RESULT, &copy);
    return true;
}

static bool print_result(const void *input, Error *error)
{
    json_t *json = record_to_json(&TENANT_MIGRATION_RESULT, input);
    json_decref(json);
    return json != NULL || error_memory(error);
}

static void records_copy_and_print(void **state)
{
    (void)state;
    TenantMigrationResult result = {.tenant_id = strdup("a"), .error = strdup("caf\xe9")};
    for (int i = 0; i < 9; i++) {
        assert_true(text_list_add(&result.applied_migrations, "0001_x"));
        assert_true(text_list_add(&result.recovered, "\xff"));
    }
    run_until_success(copy_result, &result, 20);
    run_until_success(print_result, &result, 20);
    record_clear(&TENANT_MIGRATION_RESULT, &result);
}

static bool copy_parsed(const void *input, Error *error)
{
    ParseResult copy;
    if (!record_copy(&PARSE_RESULT, &copy, input, error))
        return false;
    record_clear(&PARSE_RESULT, &copy);
    return true;
}

static bool copy_migration(const void *input, Error *error)
{
    Migration copy;
    if (!record_copy(&MIGRATION_RECORD, &copy, input, error))
        return false;
    record_clear(&MIGRATION_RECORD, &copy);
    return true;
}

static void lists_of_records_and_bytes_copy(void **state)
{
    (void)state;
    ParseResult parsed = {0};
    for (int i = 0; i < 9; i++) {
        ParseFailure *failure = record_list_add(&PARSE_FAILURE, &parsed.failures);
        *failure = (ParseFailure){.migration = strdup("0001_x"), .error = strdup("e"), .hint = strdup("h")};
    }
    run_until_success(copy_parsed, &parsed, 27);
    record_clear(&PARSE_RESULT, &parsed);
    char name[] = "n", hash[] = "h", sql[] = "select 1";
    const Migration migration = {name, hash, 0, {sql, 8}};
    run_until_success(copy_migration, &migration, 3);
}

static bool use_tenants(const void *input, Error *error)
{
    TenantList list = {0}, excluded = {0};
    bool done = tenant_list_read_bytes(&list, input, strlen(input), "list", error) &&
                tenant_list_parse(&list, "x,main/y", NULL, error) &&
                tenant_list_parse(&excluded, "a,x", NULL, error) &&
                tenant_list_resolve(&list, "tenant_{id}", error) &&
                tenant_list_exclude(&list, &excluded, error);
    if (done)
        assert_int_equal(list.count, 3);
    size_t held_by_list = list.count, dropped = tenant_list_unique(&list);
    assert_int_equal(list.count + dropped, held_by_list);
    tenant_list_clear(&list);
    tenant_list_clear(&excluded);
    return done;
}

static void tenants_are_read_resolved_and_excluded(void **state)
{
    (void)state;
    run_until_success(use_tenants, "a\nmain\tb\nmain\tb\n", 20);
}

static bool run_command(const void *input, Error *error)
{
    TenantList list = {0};
    char *argv[] = {(char *)input, "a", NULL};
    bool done = tenant_list_read_command(&list, argv, error);
    tenant_list_clear(&list);
    return done;
}

static void commands_run(void **state)
{
    (void)state;
    run_until_success(run_command, "echo", 5);
}

static bool load_folder(const void *input, Error *error)
{
    Bundle bundle = {0};
    TextList warnings = {0};
    bool done = bundle_load(input, false, &bundle, &warnings, error);
    if (done) {
        assert_int_equal(bundle.count, 3);
        assert_int_equal(warnings.count, 6);
    }
    bundle_clear(&bundle);
    text_list_clear(&warnings);
    return done;
}

static bool load_seed(const void *input, Error *error)
{
    Bundle bundle = {0};
    bool done = bundle_load_seed(input, &bundle, error);
    if (done)
        assert_int_equal(bundle.count, 1);
    bundle_clear(&bundle);
    return done;
}

static void seeds_load(void **state)
{
    (void)state;
    char *folder = make_folder(), *path;
    write_file(folder, "seed.sql", "select 1");
    assert_true(asprintf(&path, "%s/seed.sql", folder) > 0);
    run_until_success(load_seed, path, 4);
    free(path);
    remove_tree(folder);
    free(folder);
}

static void folders_load(void **state)
{
    (void)state;
    char *folder = make_folder(), *meta;
    write_file(folder, "0001_a.sql", "select 1");
    write_file(folder, "0001_b.sql", "");
    write_file(folder, "seed.sql", "select 2");
    write_file(folder, ".hidden.sql", "");
    assert_true(asprintf(&meta, "mkdir %s/meta", folder) > 0);
    assert_int_equal(system(meta), 0);
    write_file(folder, "meta/_journal.json",
               "{\"entries\":[{\"tag\":\"0001_a\",\"when\":1},{\"tag\":\"0009_gone\",\"when\":2}]}");
    run_until_success(load_folder, folder, 40);
    remove_tree(folder);
    free(meta);
    free(folder);
}

static bool make_texts(const void *input, Error *error)
{
    ConnectionString *secret = connection_string_new(input, error);
    ConnectionString *copy = secret != NULL ? connection_string_copy(secret, error) : NULL;
    connection_string_free(secret);
    connection_string_free(copy);
    if (copy == NULL)
        return false;
    char *texts[] = {quote_identifier(input), utf8_repair(input), tenant_id_from_schema("p{id}", input)};
    bool done = true;
    for (size_t i = 0; i < 3; i++) {
        done = done && texts[i] != NULL;
        free(texts[i]);
    }
    return done || error_memory(error);
}

static void secrets_and_texts_are_made(void **state)
{
    (void)state;
    run_until_success(make_texts, "postgresql://u:secret@db/app", 5);
}

static bool log_lines(const void *input, Error *error)
{
    const Error logged = {.code = ERROR_SERVER, .message = "m", .detail = "d", .tenant = "t"};
    log_message(LOG_ERROR, input, "m %d", 1);
    log_error_value(LOG_ERROR, input, &logged);
    return granted != 0 || error_memory(error); /* a lost line is no failure: only the end of the limit is */
}

static void logging_survives(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    log_configure(LOG_INFO, false);
    run_until_success(log_lines, "run=1 worker=2", 2);
    log_configure(LOG_INFO, true);
    run_until_success(log_lines, "run=1 worker=2", 20);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(nowhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_copy_and_print),
        cmocka_unit_test(lists_of_records_and_bytes_copy),
        cmocka_unit_test(tenants_are_read_resolved_and_excluded),
        cmocka_unit_test(commands_run),
        cmocka_unit_test(seeds_load),
        cmocka_unit_test(folders_load),
        cmocka_unit_test(secrets_and_texts_are_made),
        cmocka_unit_test(logging_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    return 0; /* the sanitizers have their own allocator */
}
#endif
