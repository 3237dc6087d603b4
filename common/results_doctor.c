#include "common/results_doctor.h"

#define INSPECTION(name, kind, rule, member)                               \
    {                                                                      \
        (name), (kind), (rule), offsetof(DatabaseInspection, member), NULL \
    }
#define CHECK(name, rule, member)                                       \
    {                                                                   \
        (name), FIELD_TEXT, (rule), offsetof(DoctorCheck, member), NULL \
    }
#define ADVICE(name, member)                                                   \
    {                                                                          \
        (name), FIELD_TEXT, FIELD_ALWAYS, offsetof(DoctorAdvice, member), NULL \
    }

static const RecordField INSPECTION_FIELDS[] = {
    INSPECTION("serverVersion", FIELD_TEXT, FIELD_OPTIONAL, server_version),
    INSPECTION("latencyMs", FIELD_INT, FIELD_ALWAYS, latency_ms),
    INSPECTION("role", FIELD_TEXT, FIELD_OPTIONAL, role),
    INSPECTION("mayCreate", FIELD_BOOL, FIELD_ALWAYS, may_create),
    INSPECTION("mayUsePlpgsql", FIELD_BOOL, FIELD_ALWAYS, may_use_plpgsql),
    INSPECTION("maxConnections", FIELD_INT, FIELD_ALWAYS, max_connections),
    INSPECTION("error", FIELD_TEXT, FIELD_OPTIONAL, error),
    INSPECTION("sqlstate", FIELD_TEXT, FIELD_OPTIONAL, sqlstate),
    INSPECTION("detail", FIELD_TEXT, FIELD_OPTIONAL, detail),
    INSPECTION("hint", FIELD_TEXT, FIELD_OPTIONAL, hint),
};

static const RecordField CHECK_FIELDS[] = {
    CHECK("name", FIELD_ALWAYS, name),
    CHECK("status", FIELD_ALWAYS, status),
    CHECK("message", FIELD_ALWAYS, message),
    CHECK("details", FIELD_OPTIONAL, details),
};

static const RecordField ADVICE_FIELDS[] = {
    ADVICE("priority", priority),
    ADVICE("message", message),
    ADVICE("action", action),
};

const RecordType DATABASE_INSPECTION =
    RECORD_TYPE("DatabaseInspection", DatabaseInspection, INSPECTION_FIELDS);
const RecordType DOCTOR_CHECK = RECORD_TYPE("DoctorCheck", DoctorCheck, CHECK_FIELDS);
const RecordType DOCTOR_ADVICE = RECORD_TYPE("DoctorAdvice", DoctorAdvice, ADVICE_FIELDS);
