/* Report groups: which tenants of a report look the same. */
#pragma once
#include <stddef.h>
/* Out of memory leaves an entry out instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

typedef struct ReportGroup {
    UT_hash_handle hh; /* hh.next is the next smaller group */
    size_t count;
    size_t example; /* index of its first entry */
    char key[];
} ReportGroup;

/* Malloc'ed; an entry whose key is NULL is in no group. */
typedef char *ReportKey(const void *report, size_t index);

/* Largest group first; NULL when there is none. */
ReportGroup *report_groups_new(const void *report, size_t count, ReportKey *key_of);
void report_groups_free(ReportGroup *groups);
