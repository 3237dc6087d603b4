#include "common/journal.h"
#include "common/migration.h"
#include "common/sql_file.h"
#include "common/utf8.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char SUFFIX[] = ".sql";
static const char JOURNAL_PATH[] = "meta/_journal.json";
static const char KIND[] = "migration";

typedef struct Loader {
    const char *folder;
    DIR *directory;
    Bundle bundle;
    size_t capacity;
    TextList *warnings; /* may be NULL */
    Error *error;
} Loader;

__attribute__((format(printf, 2, 3))) static bool warn(Loader *loader, const char *format, ...)
{
    if (loader->warnings == NULL)
        return true;
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return error_memory(loader->error);
    bool added = text_list_add(loader->warnings, text);
    free(text);
    return added || error_memory(loader->error);
}

static bool unreadable(Loader *loader, const char *file, int reason)
{
    return sql_file_unreadable(KIND, file, reason, loader->error);
}

static bool open_folder(Loader *loader)
{
    loader->directory = opendir(loader->folder);
    if (loader->directory != NULL)
        return true;
    int reason = errno;
    if (reason != ENOENT)
        return error_set(loader->error, ERROR_MIGRATIONS, "migrations folder cannot be read: %s: %s",
                         loader->folder, strerror(reason));
    error_set(loader->error, ERROR_MIGRATIONS, "migrations folder not found: %s", loader->folder);
    error_set_hint(loader->error, "create it, or name another one with --migrations-folder or "
                                  "migrations.folder in pgconvoy.yaml");
    return false;
}

static bool has_suffix(const char *file)
{
    size_t length = strlen(file);
    return length >= strlen(SUFFIX) && strcmp(file + length - strlen(SUFFIX), SUFFIX) == 0;
}

static Migration *grow(Loader *loader)
{
    Bundle *bundle = &loader->bundle;
    if (bundle->count == loader->capacity) {
        size_t capacity = loader->capacity == 0 ? 64 : loader->capacity * 2;
        Migration *items = reallocarray(bundle->items, capacity, sizeof(*items));
        if (items == NULL)
            return NULL;
        bundle->items = items;
        loader->capacity = capacity;
    }
    Migration *migration = &bundle->items[bundle->count++];
    *migration = (Migration){0};
    return migration;
}

static bool add_file(Loader *loader, const char *file)
{
    Migration *migration = grow(loader);
    if (migration == NULL)
        return error_memory(loader->error);
    migration->name = strndup(file, strlen(file) - strlen(SUFFIX));
    if (migration->name == NULL)
        return error_memory(loader->error);
    return migration_name_check(migration->name, loader->error) &&
           sql_file_read(dirfd(loader->directory), KIND, file, &migration->sql, loader->error) &&
           sql_file_check(KIND, file, &migration->sql, loader->error) &&
           sql_file_hash(&migration->sql, &migration->hash, loader->error);
}

static bool visit_entry(Loader *loader, const char *file)
{
    char shown[UTF8_SHOWN_SIZE];
    if (!has_suffix(file))
        return true;
    if (file[0] == '.')
        return warn(loader, "%s is hidden and therefore ignored", utf8_show(file, shown));
    struct stat status;
    if (fstatat(dirfd(loader->directory), file, &status, 0) < 0)
        return unreadable(loader, file, errno);
    if (!S_ISREG(status.st_mode))
        return warn(loader, "%s is not a regular file and therefore ignored", utf8_show(file, shown));
    return add_file(loader, file);
}

static bool visit_entries(Loader *loader)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(loader->directory);
        if (entry == NULL && errno != 0)
            return error_set(loader->error, ERROR_MIGRATIONS, "migrations folder cannot be read: %s: %s",
                             loader->folder, strerror(errno));
        if (entry == NULL)
            return true;
        if (!visit_entry(loader, entry->d_name))
            return false;
    }
}

static int compare_migrations(const void *a, const void *b)
{
    return migration_name_compare(((const Migration *)a)->name, ((const Migration *)b)->name);
}

/* One warning for all names that share a number, however many they are. */
static bool warn_tie(Loader *loader, const Migration *first, size_t count)
{
    size_t digits = strspn(first->name, "0123456789");
    if (count == 2)
        return warn(loader, "\"%s\" and \"%s\" share the number %.*s; they run in the order of their names",
                    first[0].name, first[1].name, (int)digits, first->name);
    return warn(loader,
                "\"%s\", \"%s\" and %zu more share the number %.*s; they run in the order of their names",
                first[0].name, first[1].name, count - 2, (int)digits, first->name);
}

static bool warn_numbers(Loader *loader)
{
    const Migration *items = loader->bundle.items;
    size_t count = loader->bundle.count;
    for (size_t i = 0, next; i < count; i = next) {
        next = i + 1;
        if (!isdigit((unsigned char)items[i].name[0])) {
            if (!warn(loader, "\"%s\" does not start with a number and counts as 0", items[i].name))
                return false;
            continue;
        }
        while (next < count && isdigit((unsigned char)items[next].name[0]) &&
               migration_number_compare(items[i].name, items[next].name) == 0)
            next++;
        if (next - i > 1 && !warn_tie(loader, &items[i], next - i))
            return false;
    }
    return true;
}

static bool has_migration(const Bundle *bundle, const char *name)
{
    Migration wanted = {.name = (char *)name};
    return bundle->count > 0 &&
           bsearch(&wanted, bundle->items, bundle->count, sizeof(wanted), compare_migrations) != NULL;
}

static bool apply_journal(Loader *loader, const Journal *journal)
{
    Bundle *bundle = &loader->bundle;
    for (size_t i = 0; i < bundle->count; i++) {
        const JournalEntry *entry = journal_find(journal, bundle->items[i].name);
        if (entry != NULL)
            bundle->items[i].when_ms = entry->when_ms;
        else if (!warn(loader, "\"%s\" is not in %s", bundle->items[i].name, JOURNAL_PATH))
            return false;
    }
    for (size_t i = 0; i < journal->count; i++)
        if (!has_migration(bundle, journal->entries[i].tag) &&
            !warn(loader, "%s lists \"%s\", which has no file", JOURNAL_PATH, journal->entries[i].tag))
            return false;
    return true;
}

static bool load_journal(Loader *loader)
{
    struct stat status;
    if (fstatat(dirfd(loader->directory), JOURNAL_PATH, &status, 0) < 0 &&
        (errno == ENOENT || errno == ENOTDIR))
        return true;
    ByteString content = {0};
    if (!sql_file_read(dirfd(loader->directory), KIND, JOURNAL_PATH, &content, loader->error))
        return false;
    JOURNAL_CLEANUP Journal journal = {0};
    bool parsed = journal_parse(&journal, content.data, content.length, JOURNAL_PATH, loader->error);
    free(content.data);
    return parsed && apply_journal(loader, &journal);
}

static bool load(Loader *loader, bool allow_empty)
{
    if (!open_folder(loader) || !visit_entries(loader))
        return false;
    if (loader->bundle.count == 0 && !allow_empty) {
        error_set(loader->error, ERROR_MIGRATIONS, "migrations folder holds no *.sql file: %s",
                  loader->folder);
        error_set_hint(loader->error, "name the folder that holds the migrations with --migrations-folder or "
                                      "migrations.folder in pgconvoy.yaml");
        return false;
    }
    if (loader->bundle.count > 0)
        qsort(loader->bundle.items, loader->bundle.count, sizeof(Migration), compare_migrations);
    return warn_numbers(loader) && load_journal(loader) && bundle_digest(&loader->bundle, loader->error);
}

bool bundle_load(const char *folder, bool allow_empty, Bundle *ret_bundle, TextList *warnings, Error *error)
{
    Loader loader = {.folder = folder, .warnings = warnings, .error = error};
    bool loaded = load(&loader, allow_empty);
    if (loader.directory != NULL)
        closedir(loader.directory);
    if (loaded)
        *ret_bundle = loader.bundle;
    else
        bundle_clear(&loader.bundle);
    return loaded;
}
