#include "common/migration_file.h"
#include "common/buffer.h"
#include "common/file.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WORDS_MAX = 200,  /* bytes of a name without its number: file systems allow 255 with everything */
    ATTEMPTS_MAX = 10 /* somebody else took the number */
};

static const uint64_t NUMBER_MAX = UINT64_MAX / 10;

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void append_words(Buffer *name, const char *words)
{
    bool gap = false, any = false;
    for (const char *c = words; *c != '\0'; c++) {
        if (!is_letter(*c)) {
            gap = any;
            continue;
        }
        if (gap)
            buffer_append_char(name, '_');
        buffer_append_char(name, (char)tolower((unsigned char)*c));
        gap = false;
        any = true;
    }
    if (!any)
        buffer_append_text(name, "migration");
}

static bool has_suffix(const char *file)
{
    size_t length = strlen(file);
    return file[0] != '.' && length > 4 && strcmp(file + length - 4, ".sql") == 0;
}

/* Files without a number count as 0. */
static bool leading_number(const char *file, uint64_t *ret_number, Error *error)
{
    uint64_t number = 0;
    for (; *file >= '0' && *file <= '9'; file++) {
        if (number >= NUMBER_MAX)
            return error_set(error, ERROR_MIGRATIONS,
                             "the number of a migration file is too large to count on");
        number = number * 10 + (uint64_t)(*file - '0');
    }
    *ret_number = number;
    return true;
}

static bool folder_error(const char *folder, Error *error)
{
    int reason = errno;
    error_set(error, ERROR_MIGRATIONS, "cannot read the migrations folder \"%s\": %s", folder,
              strerror(reason));
    if (reason == ENOENT)
        error_set_hint(error, "make it first: mkdir -p '%s'", folder);
    return false;
}

static bool highest_number(const char *folder, uint64_t *ret_highest, Error *error)
{
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return folder_error(folder, error);
    uint64_t highest = 0, number = 0;
    bool good = true;
    const struct dirent *entry;
    while (good && (entry = readdir(directory)) != NULL) {
        good = !has_suffix(entry->d_name) || leading_number(entry->d_name, &number, error);
        if (good && number > highest)
            highest = number;
    }
    closedir(directory);
    *ret_highest = highest;
    return good;
}

char *migration_file_name(const char *folder, const char *words, Error *error)
{
    BUFFER_CLEANUP Buffer name = {0};
    uint64_t highest;
    if (!highest_number(folder, &highest, error))
        return NULL;
    buffer_appendf(&name, "%04" PRIu64 "_", highest + 1);
    size_t number_length = name.length;
    append_words(&name, words);
    if (!buffer_failed(&name) && name.length - number_length > WORDS_MAX) {
        error_set(error, ERROR_USAGE, "the name of the migration is longer than %d bytes", WORDS_MAX);
        return NULL;
    }
    char *text = buffer_take(&name);
    if (text == NULL)
        error_memory(error);
    return text;
}

/* Its journal would not know of our file, and drizzle-kit not of the file's place. */
static bool check_keeper(const char *folder, Error *error)
{
    BUFFER_CLEANUP Buffer journal = {0};
    buffer_appendf(&journal, "%s/meta/_journal.json", folder);
    if (buffer_failed(&journal))
        return error_memory(error);
    if (access(buffer_text(&journal), F_OK) != 0)
        return true;
    error_set(error, ERROR_MIGRATIONS, "drizzle-kit keeps the migrations folder \"%s\"", folder);
    error_set_detail(error, "it has a journal: %s", buffer_text(&journal));
    error_set_hint(error, "use `drizzle-kit generate`, which writes the journal too");
    return false;
}

static bool write_all(int fd, const Buffer *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t count = write(fd, text->data + done, text->length - done);
        if (count < 0 && errno != EINTR)
            return false;
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool write_file(const char *path, const char *name, Error *error)
{
    BUFFER_CLEANUP Buffer text = {0};
    buffer_appendf(&text, "-- %s\n\n", name);
    if (buffer_failed(&text))
        return error_memory(error);
    FILE_CLEANUP int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0 && write_all(fd, &text))
        return true;
    int reason = errno;
    if (fd >= 0)
        unlink(path);
    error_set(error, ERROR_SYSTEM, "cannot write \"%s\": %s", path, strerror(reason));
    errno = reason;
    return false;
}

/* errno is EEXIST when somebody else was quicker. */
static char *create_once(const char *folder, const char *words, Error *error)
{
    BUFFER_CLEANUP Buffer path = {0};
    errno = 0;
    char *name = migration_file_name(folder, words, error);
    if (name == NULL)
        return NULL;
    buffer_appendf(&path, "%s/%s.sql", folder, name);
    bool good = (!buffer_failed(&path) || error_memory(error)) && write_file(buffer_text(&path), name, error);
    int reason = errno;
    free(name);
    errno = reason;
    return good ? buffer_take(&path) : NULL;
}

char *migration_file_create(const char *folder, const char *words, Error *error)
{
    if (!check_keeper(folder, error))
        return NULL;
    char *path = NULL;
    for (int attempt = 1; path == NULL && attempt <= ATTEMPTS_MAX; attempt++) {
        error_clear(error);
        path = create_once(folder, words, error);
        if (path == NULL && errno != EEXIST)
            break;
    }
    return path;
}
