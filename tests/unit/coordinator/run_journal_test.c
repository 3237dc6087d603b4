#include "coordinator/run_journal.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/pgconvoy-journal-XXXXXX";
static char path[128];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    setenv("XDG_STATE_HOME", folder, 1);
    snprintf(path, sizeof path, "%s/run.journal", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static JournalRun some_run(void)
{
    static char *words[] = {"migrate", "--all"};
    return (JournalRun){.run = "4f2a91c3aabbccdd4f2a91c3aabbccdd",
                        .command = "migrate",
                        .words = {words, 2},
                        .folder = "/srv",
                        .started_at = "2026-01-31T12:00:00.000Z",
                        .version = "0",
                        .targets = "t",
                        .migrations = "m",
                        .options = "o",
                        .tenants = 3};
}

static void add_tenant(RunJournal *journal, int64_t index, const char *state, char *migration)
{
    JournalTenant tenant = {.index = index, .database = "main", .state = (char *)state};
    tenant.result.tenant_id = "acme";
    tenant.result.schema_name = "tenant_acme";
    tenant.result.success = strcmp(state, "succeeded") == 0;
    tenant.result.applied_migrations = (TextList){&migration, 1};
    tenant.result.error = tenant.result.success ? NULL : "broke \xff here\nand there";
    run_journal_add_tenant(journal, &tenant);
}

/* A journal with one success, one failure and an end. */
static void write_journal(bool ended)
{
    ERROR_CLEANUP Error error = {0};
    JournalRun run = some_run();
    unlink(path);
    RunJournal *journal = run_journal_create(path, &run, &error);
    if (journal == NULL)
        fail_msg("%s", error.message);
    add_tenant(journal, 0, "failed", "0001_a");
    add_tenant(journal, 2, "succeeded", "0002_b");
    add_tenant(journal, 0, "succeeded", "0001_a");
    if (ended)
        run_journal_add_end(journal, &(JournalEnd){.total = 3, .succeeded = 2, .skipped = 1, .exit_code = 4});
    assert_null(run_journal_failed(journal));
    run_journal_close(journal);
}

static char *read_file(size_t *ret_length)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);
    *ret_length = fread(text, 1, 65535, file);
    fclose(file);
    return text;
}

static void write_file(const char *text, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

static void what_was_written_is_read_and_the_last_word_of_a_tenant_counts(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    JournalContent content;
    write_journal(true);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    if (!run_journal_read(path, &content, &error))
        fail_msg("%s", error.message);
    assert_string_equal(content.run.run, "4f2a91c3aabbccdd4f2a91c3aabbccdd");
    assert_int_equal(content.run.words.count, 2);
    assert_string_equal(content.tenants[0].state, "succeeded");
    assert_null(content.tenants[1].state);
    assert_string_equal(content.tenants[2].result.applied_migrations.items[0], "0002_b");
    assert_true(content.ended);
    assert_false(content.torn);
    assert_false(content.is_live);
    assert_int_equal(content.end.exit_code, 4);
    run_journal_content_clear(&content);
}

/* A crash may leave any beginning of the file: whole lines count, the torn one does not, nothing is refused.
 */
static void every_beginning_of_a_journal_is_read_up_to_its_last_whole_line(void **state)
{
    (void)state;
    write_journal(true);
    size_t length;
    char *text = read_file(&length);
    size_t first = (size_t)(strchr(text, '\n') - text) + 1;
    for (size_t cut = first; cut <= length; cut++) {
        ERROR_CLEANUP Error error = {0};
        JournalContent content;
        write_file(text, cut);
        if (!run_journal_read(path, &content, &error))
            fail_msg("cut at %zu: %s", cut, error.message);
        assert_int_equal(content.torn, text[cut - 1] != '\n');
        assert_true(content.length <= (int64_t)cut && text[content.length - 1] == '\n');
        /* ... and goes on from there. */
        RunJournal *journal = run_journal_resume(&content, &error);
        assert_non_null(journal);
        add_tenant(journal, 1, "succeeded", "0003_c");
        run_journal_close(journal);
        run_journal_content_clear(&content);
        if (!run_journal_read(path, &content, &error))
            fail_msg("resumed after a cut at %zu: %s", cut, error.message);
        assert_string_equal(content.tenants[1].state, "succeeded");
        assert_int_equal(content.resumed, 1);
        assert_false(content.torn || content.ended);
        run_journal_content_clear(&content);
    }
    free(text);
}

/* Whoever changes a byte anywhere but at the end (the last line and the line feed before it) is noticed. */
static void damage_before_the_last_line_is_refused(void **state)
{
    (void)state;
    write_journal(true);
    size_t length;
    char *text = read_file(&length);
    text[length - 1] = '\0';
    size_t last = (size_t)(strrchr(text, '\n') - text);
    text[length - 1] = '\n';
    for (size_t at = 0; at < length; at++) {
        ERROR_CLEANUP Error error = {0};
        JournalContent content;
        char kept = text[at];
        text[at] = kept == 'x' ? 'y' : 'x';
        write_file(text, length);
        bool read = run_journal_read(path, &content, &error);
        if (read != (at >= last))
            fail_msg("byte %zu of %zu changed: %s", at, length, read ? "read" : error.message);
        if (read)
            run_journal_content_clear(&content);
        else
            assert_non_null(strstr(error.message, "is damaged at line"));
        text[at] = kept;
    }
    /* A line that is lost. */
    ERROR_CLEANUP Error error = {0};
    JournalContent content;
    char *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
    memmove(second, third, strlen(third) + 1);
    write_file(text, strlen(text));
    assert_false(run_journal_read(path, &content, &error));
    free(text);
}

static void a_journal_that_is_being_written_is_not_resumed(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    JournalContent content;
    write_journal(false);
    assert_true(run_journal_read(path, &content, &error));
    RunJournal *journal = run_journal_resume(&content, &error);
    assert_non_null(journal);
    JournalContent live;
    assert_true(run_journal_read(path, &live, &error));
    assert_true(live.is_live);
    assert_null(run_journal_resume(&live, &error));
    assert_int_equal(error.code, ERROR_BUSY);
    run_journal_close(journal);
    run_journal_content_clear(&content);
    run_journal_content_clear(&live);
}

static void runs_are_found_by_the_beginning_of_their_id(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    JournalRun run = some_run();
    RunJournal *first = run_journal_create(NULL, &run, &error);
    assert_non_null(first);
    run.run = "4f3b0000000000000000000000000000";
    RunJournal *second = run_journal_create(NULL, &run, &error);
    assert_non_null(second);
    static const struct {
        const char *name;
        int found; /* 0 = none, 1 = first, 2 = second, 3 = several */
    } CASES[] = {{"4f2a", 1}, {"4f3b0000000000000000000000000000", 2}, {"4f", 3}, {"5", 0},
                 {"", 0},     {"2026-01-31T12:00:00.000Z-4f3b", 2}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char *found = run_journal_find(CASES[i].name, &error);
        int which = found == NULL ? strstr(error.message, "beginning of") != NULL ? 3 : 0
                    : strcmp(found, run_journal_path(first)) == 0 ? 1
                                                                  : 2;
        assert_int_equal(which, CASES[i].found);
        free(found);
    }
    run_journal_close(first);
    run_journal_close(second);
}

static void a_disk_that_is_full_ends_the_journal_and_nothing_else(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    JournalRun run = some_run();
    assert_null(run_journal_create("/dev/full", &run, &error)); /* exists: never written over */
    assert_non_null(error.hint);
    assert_null(run_journal_create("/nonexistent/x.journal", &run, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_and_the_last_word_of_a_tenant_counts),
        cmocka_unit_test(every_beginning_of_a_journal_is_read_up_to_its_last_whole_line),
        cmocka_unit_test(damage_before_the_last_line_is_refused),
        cmocka_unit_test(a_journal_that_is_being_written_is_not_resumed),
        cmocka_unit_test(runs_are_found_by_the_beginning_of_their_id),
        cmocka_unit_test(a_disk_that_is_full_ends_the_journal_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
