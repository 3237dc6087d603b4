#include "common/sql_file.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static const size_t FILE_MAX = ((size_t)1 << 30) - 1;

bool sql_file_unreadable(const char *kind, const char *file, int reason, Error *error)
{
    char shown[UTF8_SHOWN_SIZE];
    if (reason == EFBIG)
        return error_set(error, ERROR_MIGRATIONS, "%s file %s is larger than 1 GiB", kind,
                         utf8_show(file, shown));
    return error_set(error, ERROR_MIGRATIONS, "%s file %s cannot be read: %s", kind, utf8_show(file, shown),
                     strerror(reason));
}

bool sql_file_read(int folder, const char *kind, const char *file, ByteString *ret_content, Error *error)
{
    FILE_CLEANUP int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sql_file_unreadable(kind, file, errno, error);
    struct stat status;
    if (fstat(fd, &status) == 0 && status.st_size > (off_t)FILE_MAX)
        return sql_file_unreadable(kind, file, EFBIG, error);
    Buffer content = {0};
    if (!file_read_all(fd, FILE_MAX, &content)) {
        int reason = errno;
        buffer_clear(&content);
        return reason == ENOMEM ? error_memory(error) : sql_file_unreadable(kind, file, reason, error);
    }
    size_t length = content.length;
    char *data = buffer_take(&content);
    if (data == NULL)
        return error_memory(error);
    *ret_content = (ByteString){data, length};
    return true;
}

bool sql_file_check(const char *kind, const char *file, const ByteString *content, Error *error)
{
    const char *nul = memchr(content->data, '\0', content->length);
    if (nul != NULL)
        return error_set(error, ERROR_MIGRATIONS, "%s file \"%s\" holds a NUL byte at byte offset %zu", kind,
                         file, (size_t)(nul - content->data));
    size_t valid = utf8_valid_prefix(content->data, content->length);
    if (valid == content->length)
        return true;
    error_set(error, ERROR_MIGRATIONS, "%s file \"%s\" is not UTF-8 at byte offset %zu", kind, file, valid);
    error_set_hint(error, "save the file as UTF-8");
    return false;
}

bool sql_file_hash(const ByteString *content, char **ret_hash, Error *error)
{
    unsigned char digest[32];
    if (!sha256_bytes(content->data, content->length, digest, error))
        return false;
    char *hash = malloc(2 * sizeof(digest) + 1);
    if (hash == NULL)
        return error_memory(error);
    hex_encode(digest, sizeof(digest), hash);
    *ret_hash = hash;
    return true;
}

static const char SEED[] = "seed";

static const char *ending(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot != NULL ? dot : "";
}

/* The npm package runs a seed's source; here a seed is SQL, which every worker can run. */
static bool check_language(const char *path, const char *file, Error *error)
{
    static const char *const OTHERS[] = {".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        if (strcasecmp(ending(file), OTHERS[i]) != 0)
            continue;
        error_set(error, ERROR_USAGE, "seed file \"%s\" is not an SQL file", path);
        error_set_hint(error, "write the seed as SQL statements and name that file");
        return false;
    }
    return true;
}

static bool check_seed(const char *path, const Migration *seed, Error *error)
{
    if (!sql_file_check(SEED, path, &seed->sql, error))
        return false;
    size_t length;
    const char *text = migration_text(seed, &length);
    if (strspn(text, " \t\r\n\f\v") < length)
        return true;
    error_set(error, ERROR_MIGRATIONS, "seed file \"%s\" is empty", path);
    error_set_hint(error, "write the SQL statements that fill a tenant into it");
    return false;
}

static bool read_seed(const char *path, Migration *seed, Error *error)
{
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    size_t length = strlen(file) - (strcmp(ending(file), ".sql") == 0 ? strlen(".sql") : 0);
    if (!check_language(path, file, error))
        return false;
    seed->name = strndup(file, length);
    if (seed->name == NULL)
        return error_memory(error);
    if (!sql_file_read(AT_FDCWD, SEED, path, &seed->sql, error)) {
        if (error->hint == NULL)
            error_set_hint(error, "name an SQL file with --file");
        return false;
    }
    return migration_name_check(seed->name, error) && check_seed(path, seed, error) &&
           sql_file_hash(&seed->sql, &seed->hash, error);
}

bool bundle_load_seed(const char *path, Bundle *ret_bundle, Error *error)
{
    Bundle bundle = {.items = calloc(1, sizeof *bundle.items), .count = 1};
    if (bundle.items == NULL)
        return error_memory(error);
    if (!read_seed(path, &bundle.items[0], error) || !bundle_digest(&bundle, error)) {
        bundle_clear(&bundle);
        return false;
    }
    *ret_bundle = bundle;
    return true;
}
