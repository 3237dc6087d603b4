/* Single: one operation on one tenant, for calls that need nothing of a run but its result. */
#pragma once
#include "coordinator/library/call.h"

typedef struct Single {
    OperationId operation;
    bool needs_files;
    void (*set)(const void *wishes, RunOptions *options); /* adds what is asked for; may be NULL */
    const void *wishes;
} Single;

/* Fills *ret_record, of the operation's result type, also when the tenant failed: *ret_outcome tells. False:
 * it could not be made, and *ret_record is untouched. The call is about one tenant. */
bool single_run(Call *call, const Single *single, void *ret_record, Outcome *ret_outcome) MUST_CHECK;

/* The texts that results of failed operations share, by the names they have in the contract; false. */
bool single_failed(const RecordType *type, void *record, Outcome outcome, Error *error);
