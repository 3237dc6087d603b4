#include "common/migration.h"
#include "common/hash.h"
#include "common/utf8.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 255 }; /* the tracking table's VARCHAR(255) */

#define ROW(name, kind, rule, member)                             \
    {                                                             \
        (name), (kind), (rule), offsetof(Migration, member), NULL \
    }

static const RecordField MIGRATION_FIELDS[] = {
    ROW("name", FIELD_TEXT, FIELD_ALWAYS, name),
    ROW("hash", FIELD_TEXT, FIELD_ALWAYS, hash),
    ROW("when", FIELD_INT, FIELD_OPTIONAL, when_ms),
    ROW("sql", FIELD_BYTES, FIELD_WIRE, sql),
};

const RecordType MIGRATION_RECORD = RECORD_TYPE("Migration", Migration, MIGRATION_FIELDS);

bool migration_name_check(const char *name, Error *error)
{
    char shown[UTF8_SHOWN_SIZE];
    size_t length = strlen(name);
    if (length == 0)
        return error_set(error, ERROR_MIGRATIONS, "migration name is empty");
    if (length > NAME_MAX_BYTES)
        return error_set(error, ERROR_MIGRATIONS, "migration name %s is %zu bytes long, the limit is %d",
                         utf8_show(name, shown), length, NAME_MAX_BYTES);
    if (!utf8_valid_text(name))
        return error_set(error, ERROR_MIGRATIONS, "migration name %s is not UTF-8", utf8_show(name, shown));
    if (utf8_has_control(name))
        return error_set(error, ERROR_MIGRATIONS, "migration name %s holds a control character",
                         utf8_show(name, shown));
    return true;
}

const char *migration_text(const Migration *migration, size_t *ret_length)
{
    const char *text = migration->sql.data != NULL ? migration->sql.data : "";
    size_t length = migration->sql.length;
    size_t mark = strlen(UTF8_BOM);
    if (length >= mark && memcmp(text, UTF8_BOM, mark) == 0) {
        text += mark;
        length -= mark;
    }
    *ret_length = length;
    return text;
}

/* The leading digits without their leading zeros. */
static const char *leading_number(const char *name, size_t *ret_length)
{
    while (*name == '0')
        name++;
    size_t length = 0;
    while (isdigit((unsigned char)name[length]))
        length++;
    *ret_length = length;
    return name;
}

int migration_number_compare(const char *a, const char *b)
{
    size_t a_length, b_length;
    const char *a_number = leading_number(a, &a_length);
    const char *b_number = leading_number(b, &b_length);
    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    return memcmp(a_number, b_number, a_length);
}

int migration_name_compare(const char *a, const char *b)
{
    int order = migration_number_compare(a, b);
    return order != 0 ? order : strcmp(a, b);
}

/* Every part goes in with its length, so that no two bundles give one stream of bytes. */
static void digest_number(Sha256 *hash, uint64_t number)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(number >> (56 - 8 * i));
    sha256_update(hash, bytes, sizeof(bytes));
}

static void digest_part(Sha256 *hash, const void *data, size_t length)
{
    digest_number(hash, length);
    sha256_update(hash, data, length);
}

bool bundle_digest(Bundle *bundle, Error *error)
{
    static const char VERSION[] = "pgconvoy/bundle/v1";
    Sha256 *hash = sha256_new(error);
    if (hash == NULL)
        return false;
    digest_part(hash, VERSION, sizeof(VERSION));
    digest_number(hash, bundle->count);
    for (size_t i = 0; i < bundle->count; i++) {
        const Migration *migration = &bundle->items[i];
        digest_part(hash, migration->name, strlen(migration->name));
        digest_part(hash, migration->hash, strlen(migration->hash));
        digest_number(hash, (uint64_t)migration->when_ms);
        digest_part(hash, migration->sql.data, migration->sql.length);
    }
    unsigned char digest[32];
    bool done = sha256_final(hash, digest, error);
    sha256_free(hash);
    if (done)
        hex_encode(digest, sizeof(digest), bundle->digest);
    return done;
}

void bundle_clear(Bundle *bundle)
{
    for (size_t i = 0; i < bundle->count; i++)
        record_clear(&MIGRATION_RECORD, &bundle->items[i]);
    free(bundle->items);
    *bundle = (Bundle){0};
}
