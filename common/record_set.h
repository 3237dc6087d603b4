/* Record set: equal records of one type, each kept once.
 *
 * For what many tenants have alike, which is nearly everything that is said of a fleet that is well. Whoever
 * keeps a record gets the set's own, to be read and, once, dropped. Not thread-safe.
 */
#pragma once
#include "common/record.h"

typedef struct RecordSet RecordSet;

RecordSet *record_set_new(const RecordType *type, Error *error) MUST_CHECK;

/* The set's record that equals this one, whose content is taken over and which is at rest afterwards. NULL
 * when memory ran out. */
const void *record_set_keep(RecordSet *set, void *record);

/* One keeper less; the last one's record ends. Accepts NULL. */
void record_set_drop(RecordSet *set, const void *kept);

/* How many different ones there are; NULL has none. */
size_t record_set_count(const RecordSet *set);
void record_set_free(RecordSet *set); /* accepts NULL */
