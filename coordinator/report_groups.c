#include "coordinator/report_groups.h"
#include <stdlib.h>
#include <string.h>

static int by_count(const ReportGroup *a, const ReportGroup *b)
{
    return a->count < b->count ? 1 : a->count > b->count ? -1 : strcmp(a->key, b->key);
}

ReportGroup *report_groups_new(const void *report, size_t count, ReportKey *key_of)
{
    ReportGroup *groups = NULL;
    for (size_t i = 0; i < count; i++) {
        char *key = key_of(report, i);
        if (key == NULL)
            continue;
        ReportGroup *group;
        HASH_FIND_STR(groups, key, group);
        if (group == NULL && (group = calloc(1, sizeof *group + strlen(key) + 1)) != NULL) {
            strcpy(group->key, key);
            group->example = i;
            HASH_ADD_STR(groups, key, group);
        }
        if (group != NULL)
            group->count++;
        free(key);
    }
    HASH_SORT(groups, by_count);
    return groups;
}

void report_groups_free(ReportGroup *groups)
{
    ReportGroup *group, *next;
    HASH_ITER(hh, groups, group, next)
    {
        HASH_DEL(groups, group);
        free(group);
    }
}
