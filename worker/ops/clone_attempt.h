/* Clone attempt: one transaction that copies a schema, or leaves nothing.
 *
 * Both tenants' locks are taken before the transaction takes its snapshot, so that it sees what the last run
 * on the source has committed, and all tables as of one moment. Several messages, one transaction: behind a
 * transaction-pooling PgBouncer they reach one server.
 */
#pragma once
#include "worker/ops/clone_data.h"
#include "worker/ops/clone_progress.h"
#include <stdatomic.h>

typedef struct CloneRequest {
    const RunOptions *options;
    CloneSchemas schemas;
    const char *target_id;
    const char *earlier; /* transaction id of an attempt whose COMMIT was lost, or NULL */
    bool probe;          /* only look what became of that attempt */
    int64_t lock_timeout_ms;
    const atomic_bool *cancelled; /* may be NULL */
    CloneProgress progress;       /* whom to tell */
} CloneRequest;

typedef struct CloneReport {
    TextList tables; /* copied, by name */
    TextList warnings;
    int64_t rows;
    char transaction[24]; /* of the attempt */
} CloneReport;

typedef enum CloneVerdict {
    CLONE_MADE,
    CLONE_FOUND,   /* the earlier attempt has made it; the report stays as it is */
    CLONE_ABSENT,  /* probe: it has not */
    CLONE_TAKEN,   /* the target is there, and no work of this clone's; the error says so */
    CLONE_BUSY,    /* somebody works on one of the two tenants */
    CLONE_REFUSED, /* an error, and nothing stays */
    CLONE_LOST,    /* COMMIT was sent, and no answer came */
} CloneVerdict;

/* Fills *report when COMMIT was sent, else *error. Unless the connection is lost its session is clean
 * afterwards. */
CloneVerdict clone_attempt(const CloneRequest *request, Connection *connection, CloneReport *report,
                           Error *error) MUST_CHECK;
void clone_report_clear(CloneReport *report);
