/* Schema block: the one message that creates or drops a tenant's schema.
 *
 * BEGIN, settings, one DO block that takes the tenant's lock, looks at pg_namespace, and acts; the outcome;
 * COMMIT; the session's tail. It is laid out as a migration block without a script, so that block_exchange()
 * sends it, and like one it may be sent again whatever became of an earlier attempt.
 *
 * A drop names the schema's oid as well: of a schema that another run has dropped and created anew since we
 * looked, nothing is dropped.
 */
#pragma once
#include "worker/ops/migration_block.h"

typedef enum SchemaAction { SCHEMA_CREATE, SCHEMA_DROP } SchemaAction;

typedef struct SchemaBlockRequest {
    SchemaAction action;
    bool probe; /* only looks, under the lock */
    const char *schema;
    const char *oid;      /* SCHEMA_DROP: of the schema that is meant, in decimal */
    bool no_cascade;      /* drop only an empty schema */
    bool cascade_foreign; /* drop what depends on it in other schemas, too */
    int64_t lock_timeout_ms;
    int64_t statement_timeout_ms; /* 0 = none */
} SchemaBlockRequest;

/* SQLSTATE with which the block refuses a drop because objects of other schemas depend on the schema's. The
 * message counts them, DETAIL names the first ten, one a line. */
extern const char SCHEMA_DEPENDENTS_SQLSTATE[];

/* Its answer: BLOCK_DONE; BLOCK_PRESENT, create: the schema was there; BLOCK_NO_SCHEMA, drop: there was none;
 * BLOCK_STALE, drop: there is one of another oid; BLOCK_ABSENT, probe: nothing was done; BLOCK_BUSY. */
bool schema_block_build(const SchemaBlockRequest *request, MigrationBlock *ret_block,
                        Error *error) MUST_CHECK;
