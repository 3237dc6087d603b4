/* Complaint: what libcyaml says while it refuses a file, turned into one Error.
 *
 * libcyaml logs one sentence and then a backtrace, innermost first, such as
 *     Load: Unexpected key: concurency
 *     Load: Backtrace:
 *       in mapping (line: 2, column: 6)
 *       in mapping field 'run' (line: 2, column: 3)
 * The backtrace gives the path. Its lines are those of the event before, so the place is looked up.
 */
#pragma once
#include "common/config_schema.h"

enum { COMPLAINT_DEPTH_MAX = 8 };

typedef struct ComplaintFrame {
    char *field;    /* key of a mapping, or NULL */
    uint32_t entry; /* of a list, from 1; 0 = none */
} ComplaintFrame;

typedef struct Complaint {
    char *sentence;
    ComplaintFrame frames[COMPLAINT_DEPTH_MAX]; /* innermost first */
    size_t depth;
} Complaint;

/* A cyaml_log_fn_t; context is the Complaint. */
void complaint_log(cyaml_log_t level, void *context, const char *format, va_list args);

/* Always fills error. */
void complaint_explain(const Complaint *complaint, cyaml_err_t status, const FileSchema *schema,
                       const YamlPlaces *places, Error *error);
void complaint_clear(Complaint *complaint);
