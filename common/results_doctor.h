/* Results of the doctor: what a worker sees of a database, and what the whole of it comes to. */
#pragma once
#include "common/results.h"

/* inspect: one database as its worker's role sees it. */
typedef struct DatabaseInspection {
    char *server_version; /* "15.18" */
    int64_t latency_ms;   /* of one question and its answer */
    char *role;
    bool may_create;      /* schemas in this database */
    bool may_use_plpgsql; /* everything that writes needs it */
    int64_t max_connections;
    char *error; /* NULL on success, like the three below */
    char *sqlstate;
    char *detail;
    char *hint;
} DatabaseInspection;

extern const RecordType DATABASE_INSPECTION;

typedef struct DoctorCheck {
    char *name;
    char *status; /* "ok", "warn", "error" */
    char *message;
    char *details;
} DoctorCheck;

extern const RecordType DOCTOR_CHECK;

typedef struct DoctorAdvice {
    char *priority; /* "high", "medium", "low" */
    char *message;
    char *action;
} DoctorAdvice;

extern const RecordType DOCTOR_ADVICE;
