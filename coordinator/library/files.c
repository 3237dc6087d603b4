#include "common/hash.h"
#include "common/utf8.h"
#include "coordinator/library/call.h"
#include <stdlib.h>
#include <string.h>

static char *hash_of(const pgconvoy_migration *given, Error *error)
{
    unsigned char digest[32];
    char *hash = given->hash != NULL ? strdup(given->hash) : malloc(2 * sizeof digest + 1);
    if (hash == NULL) {
        error_memory(error);
        return NULL;
    }
    if (given->hash != NULL)
        return hash;
    if (!sha256_bytes(given->sql, strlen(given->sql), digest, error)) {
        free(hash);
        return NULL;
    }
    hex_encode(digest, sizeof digest, hash);
    return hash;
}

static bool check(const Bundle *bundle, const pgconvoy_migration *given, Error *error)
{
    if (given->name == NULL || given->sql == NULL)
        return error_set(error, ERROR_USAGE, "a migration needs a name and its SQL");
    if (!migration_name_check(given->name, error))
        return false;
    if (!utf8_valid_text(given->sql))
        return error_set(error, ERROR_MIGRATIONS, "migration \"%s\" is not UTF-8", given->name);
    if (given->hash != NULL && (given->hash[0] == '\0' || !utf8_valid_text(given->hash)))
        return error_set(error, ERROR_MIGRATIONS, "migration \"%s\" has no proper hash", given->name);
    for (size_t i = 0; i < bundle->count; i++)
        if (strcmp(bundle->items[i].name, given->name) == 0)
            return error_set(error, ERROR_MIGRATIONS, "two migrations are named \"%s\"", given->name);
    return true;
}

static bool add(Bundle *bundle, const pgconvoy_migration *given, Error *error)
{
    if (!check(bundle, given, error))
        return false;
    char *hash = hash_of(given, error);
    if (hash == NULL)
        return false;
    Migration *migration = &bundle->items[bundle->count++];
    *migration = (Migration){.name = strdup(given->name),
                             .hash = hash,
                             .when_ms = given->when_ms,
                             .sql = {strdup(given->sql), strlen(given->sql)}};
    return (migration->name != NULL && migration->sql.data != NULL) || error_memory(error);
}

bool call_give_files(Call *call, const pgconvoy_migrations *migrations)
{
    if (migrations == NULL)
        return true;
    if (migrations->items == NULL && migrations->count > 0)
        return error_set(call->error, ERROR_USAGE, "the list of migrations is NULL");
    call->files.items = calloc(migrations->count + 1, sizeof *call->files.items);
    if (call->files.items == NULL)
        return error_memory(call->error);
    for (size_t i = 0; i < migrations->count; i++)
        if (!add(&call->files, &migrations->items[i], call->error))
            return false;
    call->fleet.files = &call->files;
    return bundle_digest(&call->files, call->error);
}
