/* Tenants: ids, the schema-name template, and the rules that keep two tenants out of one schema.
 *
 * A tenant is (database name, id). The coordinator alone applies the template; workers receive (id, schema)
 * pairs and check the schema again. A schema name is refused when it is empty, longer than 63 bytes (the
 * server would cut it), not UTF-8, holds a control character, or is reserved (public, information_schema,
 * pg_*). Ids are refused when empty, longer than 255 bytes, not UTF-8 or with a control character.
 */
#pragma once
#include "common/arena.h"
#include "common/error.h"
#include "common/record.h"
#include <stddef.h>

/* The schema that all tenants of a database share, and the id under which it goes where a tenant's id is
 * expected. */
#define SHARED_SCHEMA "public"
#define SHARED_ID "shared"

typedef struct Tenant {
    char *database; /* name of a configured database; "" while not resolved */
    char *id;
    char *schema;  /* "" until the template was applied */
    char *refusal; /* why nothing can be done with it; NULL = nothing speaks against it */
} Tenant;

/* All texts of its tenants lie in `texts` and end with the list: whoever is dropped leaves them behind. */
typedef struct TenantList {
    Tenant *items;
    size_t count;
    size_t capacity;
    Arena texts;
} TenantList;

bool tenant_id_check(const char *id, Error *error) MUST_CHECK;
bool schema_name_check(const char *schema, Error *error) MUST_CHECK;

/* Refuses templates that no id could make a valid schema name: empty, too long without the id, not UTF-8, a
 * control character, or starting with pg_. One without "{id}" is fine for a single tenant. */
bool schema_template_check(const char *schema_template, Error *error) MUST_CHECK;

/* Replaces every "{id}" of the template; the result is malloc'ed and already checked. NULL on error. */
char *schema_from_template(const char *schema_template, const char *id, Error *error) MUST_CHECK;

/* The id that this template gives for a schema name, malloc'ed; NULL when the schema does not fit the
 * template (errno 0) or memory ran out (errno ENOMEM). Only templates with exactly one "{id}" can be
 * inverted. */
char *tenant_id_from_schema(const char *schema_template, const char *schema);

/* "name" with inner quotes doubled, malloc'ed; NULL when memory ran out. */
char *quote_identifier(const char *name);

/* Appends a tenant with an empty schema; the id is checked. `database` may be "". */
bool tenant_list_add(TenantList *list, const char *database, const char *id, Error *error) MUST_CHECK;

/* The same for an id that need not be one: the tenant then has its refusal. Fails only when memory runs out.
 */
bool tenant_list_add_any(TenantList *list, const char *database, const char *id, Error *error) MUST_CHECK;

/* Appends a tenant as another list, or a record of its own, has it. */
bool tenant_list_add_copy(TenantList *list, const Tenant *tenant, Error *error) MUST_CHECK;

/* Sets the schema or refusal of one of the list's tenants to a copy of `value`. */
bool tenant_list_set_text(TenantList *list, char **text, const char *value, Error *error) MUST_CHECK;
bool tenant_list_set_database(TenantList *list, size_t index, const char *name, Error *error) MUST_CHECK;

/* Applies the template to every tenant and refuses different ids of one database that share a schema. */
bool tenant_list_resolve(TenantList *list, const char *schema_template, Error *error) MUST_CHECK;

/* Drops later duplicates of (database, id) and returns how many; for discovered lists only. When memory runs
 * out nothing is dropped, which costs a tenant a second look and nothing else. */
size_t tenant_list_unique(TenantList *list);

/* Reads a list ("id" or "db<TAB>id" per line; blank lines and lines starting with # skipped; CRLF and a byte
 * order mark are fine) from memory. `origin` names it in errors, as in "origin:17: ...". Here and
 * below, a failure leaves the list as it was. */
bool tenant_list_read_bytes(TenantList *list, const char *bytes, size_t length, const char *origin,
                            Error *error) MUST_CHECK;

/* The same from a file; "-" = stdin. */
bool tenant_list_read_file(TenantList *list, const char *path, Error *error) MUST_CHECK;

/* Runs argv[0..] (NULL-terminated) without a shell, stdin empty, and reads its stdout as a list file; a
 * non-zero exit is an error. Messages name argv[0] only: arguments may be secret. */
bool tenant_list_read_command(TenantList *list, char *const argv[], Error *error) MUST_CHECK;

/* Adds one id, or db/id when `databases` (may be NULL) holds that db; everything else is part of the id. For
 * lists that are split already, such as tenants.ids. */
bool tenant_list_add_named(TenantList *list, const char *text, const TextList *databases,
                           Error *error) MUST_CHECK;

/* Splits "a,b,db/c" at commas. Every part, without spaces around it, is named as above. Keeps duplicates. */
bool tenant_list_parse(TenantList *list, const char *text, const TextList *databases,
                       Error *error) MUST_CHECK;

/* Removes the tenants that are in `excluded` (an entry with database "" matches any database). Fails, with
 * the list as it was, only when memory runs out: a tenant that must be left alone may not slip through. */
bool tenant_list_exclude(TenantList *list, const TenantList *excluded, Error *error) MUST_CHECK;
void tenant_list_truncate(TenantList *list, size_t limit);
void tenant_list_clear(TenantList *list);
