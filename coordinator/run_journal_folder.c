/* Where journals lie, and which one a name means. */
#include "common/buffer.h"
#include "coordinator/run_journal.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_SHOWN = 8 }; /* digits of the run's id in the file's name */

static const char SUFFIX[] = ".journal";

char *run_journal_folder(Error *error)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *folder = NULL;
    int length = 0;
    if (state != NULL && state[0] == '/')
        length = asprintf(&folder, "%s/pgconvoy/runs", state);
    else if (home != NULL && home[0] == '/')
        length = asprintf(&folder, "%s/.local/state/pgconvoy/runs", home);
    else {
        error_set(error, ERROR_CONFIG,
                  "there is no folder for journals: neither XDG_STATE_HOME nor HOME is set");
        error_set_hint(error, "give --journal FILE.");
        return NULL;
    }
    if (length >= 0)
        return folder;
    error_memory(error);
    return NULL;
}

static int is_journal(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), suffix = sizeof SUFFIX - 1;
    return length > suffix && strcmp(entry->d_name + length - suffix, SUFFIX) == 0;
}

bool run_journal_list(TextList *ret_paths, Error *error)
{
    char *folder = run_journal_folder(error);
    if (folder == NULL)
        return false;
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_journal, alphasort); /* names begin with the time */
    bool good = count >= 0 || errno == ENOENT ||
                error_set(error, ERROR_CONFIG, "cannot read folder \"%s\": %s", folder, strerror(errno));
    TextList paths = {0};
    for (int i = 0; i < count; i++) {
        BUFFER_CLEANUP Buffer path = {0};
        buffer_appendf(&path, "%s/%s", folder, entries[i]->d_name);
        if (good && (buffer_failed(&path) || !text_list_add(&paths, buffer_text(&path))))
            good = error_memory(error);
        free(entries[i]);
    }
    free(entries);
    free(folder);
    if (good)
        *ret_paths = paths;
    else
        text_list_clear(&paths);
    return good;
}

/* "…-4f2a91c3.journal" means the run 4f2a91c3...; its name may also be given from the beginning. */
static bool is_meant(const char *path, const char *name)
{
    const char *file = strrchr(path, '/') + 1;
    const char *id = strrchr(file, '-');
    size_t length = strlen(name);
    return strncmp(file, name, length) == 0 ||
           (id != NULL && strncmp(id + 1, name, length < ID_SHOWN ? length : ID_SHOWN) == 0);
}

char *run_journal_find(const char *name, Error *error)
{
    char *found = NULL;
    size_t count = 0;
    if (strchr(name, '/') != NULL) {
        found = strdup(name);
        if (found == NULL)
            error_memory(error);
        return found;
    }
    TextList paths = {0};
    if (!run_journal_list(&paths, error))
        return NULL;
    for (size_t i = 0; name[0] != '\0' && i < paths.count; i++)
        if (is_meant(paths.items[i], name)) {
            count++;
            free(found);
            found = strdup(paths.items[i]);
        }
    text_list_clear(&paths);
    if (count == 1 && found != NULL)
        return found;
    free(found);
    if (count == 1)
        error_memory(error);
    else if (count == 0)
        error_set(error, ERROR_USAGE, "there is no run \"%s\"", name);
    else
        error_set(error, ERROR_USAGE, "\"%s\" is the beginning of %zu runs", name, count);
    if (count != 1)
        error_set_hint(error, "`pgconvoy run list` shows the runs; a path with a slash names a file.");
    return NULL;
}
