/* Every case of cases/ whose group is named on the command line, one test each.
 *
 * With PGCONVOY_ACCEPT in the environment nothing is judged: what came out is written into the cases as
 * `ours`, where it differs from `package`, for a review by eye. PGCONVOY_CASE plays one case alone. */
#include "tests/conformance/replay.h"
#include "tests/support/test.h"
#include <dirent.h>
#include <stdio.h>

static Cluster *cluster;

typedef struct CaseFile {
    char *path;
    json_t *content;
} CaseFile;

/* `ours` where it has the key, else the package's. */
static const json_t *wanted(const json_t *case_, const char *key)
{
    const json_t *ours = json_object_get(json_object_get(case_, "ours"), key);
    return ours != NULL ? ours : json_object_get(json_object_get(case_, "package"), key);
}

static bool is_command_case(const json_t *case_)
{
    return json_object_get(case_, "commands") != NULL;
}

static char *compare_key(const json_t *case_, const char *key, const json_t *expected, const json_t *found)
{
    json_t *masked = json_deep_copy(expected);
    mask_keys(masked, json_object_get(case_, "mask"));
    char *lines = differences(masked, found, is_command_case(case_) && strcmp(key, "result") == 0);
    json_decref(masked);
    return lines;
}

/* --- judging --- */

static bool judge(const json_t *case_, const char *key, const json_t *found)
{
    char *lines = compare_key(case_, key, wanted(case_, key), found);
    bool same = lines[0] == '\0';
    if (!same)
        print_error("%s:\n%s", key, lines);
    free(lines);
    return same;
}

/* --- accepting --- */

static void accept_key(json_t *case_, const char *key, json_t *found)
{
    const json_t *packages = json_object_get(json_object_get(case_, "package"), key);
    char *lines = compare_key(case_, key, packages, found);
    json_t *ours = json_object_get(case_, "ours");
    if (lines[0] == '\0')
        json_object_del(ours, key);
    else {
        if (ours == NULL)
            json_object_set_new(case_, "ours", ours = json_pack("{s:s}", "why", "TO BE EXPLAINED"));
        json_object_set(ours, key, found);
    }
    free(lines);
}

static void accept_outcome(const CaseFile *file, CaseOutcome *outcome)
{
    json_t *case_ = file->content, *ours;
    accept_key(case_, "result", outcome->result);
    accept_key(case_, "state", outcome->state);
    ours = json_object_get(case_, "ours");
    if (json_object_get(ours, "result") == NULL && json_object_get(ours, "state") == NULL)
        json_object_del(case_, "ours");
    char *text = readable_json(case_);
    FILE *stream = fopen(file->path, "w");
    if (text == NULL || stream == NULL || fputs(text, stream) < 0 || fclose(stream) != 0)
        abort();
    free(text);
}

static void play(void **state)
{
    const CaseFile *file = *state;
    CaseOutcome outcome = replay_case(cluster, file->content);
    bool good = true;
    if (getenv("PGCONVOY_ACCEPT") != NULL)
        accept_outcome(file, &outcome);
    else {
        good = judge(file->content, "result", outcome.result);
        good = judge(file->content, "state", outcome.state) && good;
    }
    case_outcome_clear(&outcome);
    assert_true(good);
}

/* --- the list --- */

static bool is_json(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static int wants(const struct dirent *entry)
{
    const char *only = getenv("PGCONVOY_CASE");
    size_t length = strlen(entry->d_name);
    return is_json(entry) &&
           (only == NULL || (strlen(only) == length - 5 && strncmp(only, entry->d_name, length - 5) == 0));
}

static json_t *load(const char *path)
{
    json_error_t complaint;
    json_t *content = json_load_file(path, JSON_ALLOW_NUL, &complaint);
    if (content == NULL) {
        fprintf(stderr, "%s:%d: %s\n", path, complaint.line, complaint.text);
        exit(99);
    }
    return content;
}

static void case_file_free(CaseFile *file)
{
    json_decref(file->content);
    free(file->path);
    free(file);
}

static bool in_groups(const json_t *case_, int count, char **groups)
{
    const char *group = json_string_value(json_object_get(case_, "group"));
    for (int i = 0; i < count; i++)
        if (strcmp(groups[i], group) == 0)
            return true;
    return count == 0;
}

static size_t list_cases(const char *folder, int group_count, char **groups, struct CMUnitTest **ret_tests)
{
    struct dirent **entries;
    int found = scandir(folder, &entries, wants, alphasort);
    size_t count = 0;
    struct CMUnitTest *tests = calloc((size_t)(found > 0 ? found : 0) + 1, sizeof *tests);
    for (int i = 0; i < found; i++) {
        CaseFile *file = calloc(1, sizeof *file);
        if (tests == NULL || file == NULL || asprintf(&file->path, "%s/%s", folder, entries[i]->d_name) < 0)
            abort();
        file->content = load(file->path);
        if (!in_groups(file->content, group_count, groups))
            case_file_free(file);
        else
            tests[count++] =
                (struct CMUnitTest){.name = json_string_value(json_object_get(file->content, "case")),
                                    .test_func = play,
                                    .initial_state = file};
        free(entries[i]);
    }
    free(entries);
    *ret_tests = tests;
    return count;
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 200");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

/* replay FOLDER [GROUP...] */
int main(int argc, char **argv)
{
    struct CMUnitTest *tests;
    size_t count = argc > 1 ? list_cases(argv[1], argc - 2, argv + 2, &tests) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: %s FOLDER [GROUP...]\n", argv[0]);
        return 2;
    }
    int failed = _cmocka_run_group_tests("conformance", tests, count, start, stop);
    for (size_t i = 0; i < count; i++)
        case_file_free(tests[i].initial_state);
    free(tests);
    return failed;
}
