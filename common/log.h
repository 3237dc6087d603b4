/* Log: narration on stderr, as text for people or as one JSON object a line. Thread-safe; one line is one
 * write.
 *
 * Only command, engine and worker life-cycle code logs; everything else returns an Error. Call sites pass
 * key/value context as name=value pairs inside `context` ("run=ab12 worker=w3"), the entity's own prefix.
 */
#pragma once
#include "common/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum LogLevel { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG } LogLevel;

/* Until this is called nothing is logged. */
void log_configure(LogLevel level, bool json);
bool log_enabled(LogLevel level);
void log_message(LogLevel level, const char *context, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One entry with message, DETAIL and HINT of an error. */
void log_error_value(LogLevel level, const char *context, const Error *error);

/* How much may be written about one peer, which decides itself how often there is something to say. A zeroed
 * one is whole. */
typedef struct LogBudget {
    int64_t since_ms;
    int lines;
} LogBudget;

/* Whether one more line may be written; the last one in a minute says that it is. */
bool log_budget_take(LogBudget *budget, const char *context);
