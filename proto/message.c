#include "proto/message.h"
#include "common/migration.h"
#include "common/operation.h"
#include "proto/record_codec.h"
#include <stdlib.h>
#include <string.h>

#define ROW(structure, member, name, kind, rule)                  \
    {                                                             \
        name, kind, rule, offsetof(structure, member), .of = NULL \
    }
#define LIST(structure, member, name, record)                                    \
    {                                                                            \
        name, FIELD_RECORDS, FIELD_ALWAYS, offsetof(structure, member), (record) \
    }

static const RecordField HELLO_DATABASE_FIELDS[] = {
    ROW(HelloDatabase, name, "name", FIELD_TEXT, FIELD_ALWAYS),
    ROW(HelloDatabase, max_connections, "max_connections", FIELD_INT, FIELD_ALWAYS),
};
const RecordType HELLO_DATABASE_RECORD = RECORD_TYPE("database", HelloDatabase, HELLO_DATABASE_FIELDS);

static const RecordField HELLO_FIELDS[] = {
    ROW(HelloMessage, proto_min, "proto_min", FIELD_INT, FIELD_ALWAYS),
    ROW(HelloMessage, proto_max, "proto_max", FIELD_INT, FIELD_ALWAYS),
    ROW(HelloMessage, worker, "worker", FIELD_TEXT, FIELD_ALWAYS),
    ROW(HelloMessage, incarnation, "incarnation", FIELD_INT, FIELD_ALWAYS),
    ROW(HelloMessage, name, "name", FIELD_TEXT, FIELD_ALWAYS),
    ROW(HelloMessage, version, "version", FIELD_TEXT, FIELD_ALWAYS),
    ROW(HelloMessage, slots, "slots", FIELD_INT, FIELD_ALWAYS),
    LIST(HelloMessage, databases, "databases", &HELLO_DATABASE_RECORD),
    ROW(HelloMessage, tenant_hooks, "tenant_hooks", FIELD_BOOL, FIELD_ALWAYS),
    ROW(HelloMessage, outbox, "outbox", FIELD_INT, FIELD_ALWAYS),
};
const RecordType HELLO_RECORD = RECORD_TYPE("HELLO", HelloMessage, HELLO_FIELDS);

static const RecordField WELCOME_FIELDS[] = {
    ROW(WelcomeMessage, proto, "proto", FIELD_INT, FIELD_ALWAYS),
    ROW(WelcomeMessage, coordinator, "coordinator", FIELD_TEXT, FIELD_ALWAYS),
    ROW(WelcomeMessage, run, "run", FIELD_TEXT, FIELD_ALWAYS),
    ROW(WelcomeMessage, heartbeat_ms, "heartbeat_ms", FIELD_INT, FIELD_ALWAYS),
    ROW(WelcomeMessage, suspect_ms, "suspect_ms", FIELD_INT, FIELD_ALWAYS),
    ROW(WelcomeMessage, dead_ms, "dead_ms", FIELD_INT, FIELD_ALWAYS),
};
const RecordType WELCOME_RECORD = RECORD_TYPE("WELCOME", WelcomeMessage, WELCOME_FIELDS);

static const RecordField REJECT_FIELDS[] = {
    ROW(RejectMessage, code, "code", FIELD_TEXT, FIELD_ALWAYS),
    ROW(RejectMessage, message, "message", FIELD_TEXT, FIELD_ALWAYS),
};
const RecordType REJECT_RECORD = RECORD_TYPE("REJECT", RejectMessage, REJECT_FIELDS);

static const RecordField HEARTBEAT_FIELDS[] = {
    ROW(HeartbeatMessage, in_flight, "in_flight", FIELD_INT, FIELD_ALWAYS),
    ROW(HeartbeatMessage, aborting, "aborting", FIELD_BOOL, FIELD_ALWAYS),
    ROW(HeartbeatMessage, cancelling, "cancelling", FIELD_BOOL, FIELD_ALWAYS),
};
const RecordType HEARTBEAT_RECORD = RECORD_TYPE("HEARTBEAT", HeartbeatMessage, HEARTBEAT_FIELDS);

static const RecordField BUNDLE_REQUEST_FIELDS[] = {
    ROW(BundleRequestMessage, digest, "digest", FIELD_TEXT, FIELD_ALWAYS),
};
const RecordType BUNDLE_REQUEST_RECORD =
    RECORD_TYPE("BUNDLE_REQ", BundleRequestMessage, BUNDLE_REQUEST_FIELDS);

static const RecordField BUNDLE_FIELDS[] = {
    ROW(BundleMessage, digest, "digest", FIELD_TEXT, FIELD_ALWAYS),
    LIST(BundleMessage, migrations, "migrations", &MIGRATION_RECORD),
};
const RecordType BUNDLE_RECORD = RECORD_TYPE("BUNDLE", BundleMessage, BUNDLE_FIELDS);

static const RecordField JOB_TENANT_FIELDS[] = {
    ROW(JobTenant, index, "index", FIELD_INT, FIELD_ALWAYS),
    ROW(JobTenant, attempt, "attempt", FIELD_INT, FIELD_ALWAYS),
    ROW(JobTenant, id, "id", FIELD_TEXT, FIELD_ALWAYS),
    ROW(JobTenant, schema, "schema", FIELD_TEXT, FIELD_ALWAYS),
    ROW(JobTenant, recovering, "recovering", FIELD_BOOL, FIELD_ALWAYS),
    ROW(JobTenant, plan, "plan", FIELD_TEXT, FIELD_OPTIONAL),
};
const RecordType JOB_TENANT_RECORD = RECORD_TYPE("tenant", JobTenant, JOB_TENANT_FIELDS);

static const RecordField JOB_FIELDS[] = {
    ROW(JobMessage, job, "job", FIELD_INT, FIELD_ALWAYS),
    ROW(JobMessage, phase, "phase", FIELD_INT, FIELD_ALWAYS),
    ROW(JobMessage, operation, "operation", FIELD_TEXT, FIELD_ALWAYS),
    ROW(JobMessage, database, "database", FIELD_TEXT, FIELD_ALWAYS),
    ROW(JobMessage, grant, "grant", FIELD_INT, FIELD_ALWAYS),
    ROW(JobMessage, bundle, "bundle", FIELD_TEXT, FIELD_OPTIONAL),
    LIST(JobMessage, options, "options", &RUN_OPTIONS),
    LIST(JobMessage, tenants, "tenants", &JOB_TENANT_RECORD),
};
const RecordType JOB_RECORD = RECORD_TYPE("JOB", JobMessage, JOB_FIELDS);

static const RecordField LEASE_ITEM_FIELDS[] = {
    ROW(LeaseItem, index, "index", FIELD_INT, FIELD_ALWAYS),
    ROW(LeaseItem, attempt, "attempt", FIELD_INT, FIELD_ALWAYS),
};
const RecordType LEASE_ITEM_RECORD = RECORD_TYPE("lease", LeaseItem, LEASE_ITEM_FIELDS);

static const RecordField START_FIELDS[] = {
    ROW(StartMessage, phase, "phase", FIELD_INT, FIELD_ALWAYS),
    LIST(StartMessage, leases, "leases", &LEASE_ITEM_RECORD),
};
const RecordType START_RECORD = RECORD_TYPE("START", StartMessage, START_FIELDS);

static const RecordField RESULT_ITEM_FIELDS[] = {
    ROW(ResultItem, index, "index", FIELD_INT, FIELD_ALWAYS),
    ROW(ResultItem, attempt, "attempt", FIELD_INT, FIELD_ALWAYS),
    ROW(ResultItem, outcome, "outcome", FIELD_TEXT, FIELD_ALWAYS),
    ROW(ResultItem, body, "body", FIELD_BYTES, FIELD_WIRE),
};
const RecordType RESULT_ITEM_RECORD = RECORD_TYPE("item", ResultItem, RESULT_ITEM_FIELDS);

static const RecordField RESULT_FIELDS[] = {
    ROW(ResultMessage, phase, "phase", FIELD_INT, FIELD_ALWAYS),
    LIST(ResultMessage, items, "items", &RESULT_ITEM_RECORD),
};
const RecordType RESULT_RECORD = RECORD_TYPE("RESULT", ResultMessage, RESULT_FIELDS);

static const RecordField ABORT_FIELDS[] = {
    ROW(AbortMessage, cancel, "cancel", FIELD_BOOL, FIELD_ALWAYS),
};
const RecordType ABORT_RECORD = RECORD_TYPE("ABORT", AbortMessage, ABORT_FIELDS);

/* Bodies without fields still are a map, so that a later version may add some. */
const RecordType EMPTY_RECORD = {.name = "empty", .size = sizeof(EmptyMessage)};

static const RecordField ERROR_FIELDS[] = {
    ROW(ErrorMessage, code, "code", FIELD_TEXT, FIELD_ALWAYS),
    ROW(ErrorMessage, message, "message", FIELD_TEXT, FIELD_ALWAYS),
};
const RecordType ERROR_RECORD = RECORD_TYPE("ERROR", ErrorMessage, ERROR_FIELDS);

static const MessageSpec SPECS[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = {"HELLO", MESSAGE_GREETING, &HELLO_RECORD},
    [MESSAGE_WELCOME] = {"WELCOME", MESSAGE_GREETING, &WELCOME_RECORD},
    [MESSAGE_REJECT] = {"REJECT", MESSAGE_GREETING, &REJECT_RECORD},
    [MESSAGE_HEARTBEAT] = {"HEARTBEAT", MESSAGE_UNRELIABLE, &HEARTBEAT_RECORD},
    [MESSAGE_BUNDLE_REQ] = {"BUNDLE_REQ", MESSAGE_RELIABLE, &BUNDLE_REQUEST_RECORD},
    [MESSAGE_BUNDLE] = {"BUNDLE", MESSAGE_RELIABLE, &BUNDLE_RECORD},
    [MESSAGE_JOB] = {"JOB", MESSAGE_RELIABLE, &JOB_RECORD},
    [MESSAGE_START] = {"START", MESSAGE_RELIABLE, &START_RECORD},
    [MESSAGE_RESULT] = {"RESULT", MESSAGE_RELIABLE, &RESULT_RECORD},
    [MESSAGE_ACK] = {"ACK", MESSAGE_UNRELIABLE, &EMPTY_RECORD},
    [MESSAGE_ABORT] = {"ABORT", MESSAGE_RELIABLE, &ABORT_RECORD},
    [MESSAGE_DRAIN] = {"DRAIN", MESSAGE_RELIABLE, &EMPTY_RECORD},
    [MESSAGE_WHO] = {"WHO", MESSAGE_GREETING, &EMPTY_RECORD},
    [MESSAGE_BYE] = {"BYE", MESSAGE_UNRELIABLE, &EMPTY_RECORD},
    [MESSAGE_ERROR] = {"ERROR", MESSAGE_UNRELIABLE, &ERROR_RECORD},
};

const MessageSpec *message_spec(uint8_t type)
{
    return type < MESSAGE_TYPE_COUNT && SPECS[type].name != NULL ? &SPECS[type] : NULL;
}

bool message_unpack(uint8_t type, const void *body, size_t length, Message *ret_message, Error *error)
{
    const MessageSpec *spec = message_spec(type);
    if (spec == NULL)
        return error_set(error, ERROR_PROTOCOL, "message type %d is not known", type);
    void *record = calloc(1, spec->body->size);
    if (record == NULL)
        return error_memory(error);
    if (!record_unpack(spec->body, body, length, record, error)) {
        free(record);
        return false;
    }
    *ret_message = (Message){.type = (MessageType)type, .size = length, .record = record};
    return true;
}

void message_clear(Message *message)
{
    if (message->record != NULL)
        record_clear(message_spec((uint8_t)message->type)->body, message->record);
    free(message->record);
    *message = (Message){0};
}

bool message_greeting(MessageType type, const uint8_t session_id[SESSION_ID_SIZE], const void *record,
                      Buffer *body, OutgoingFrame *ret_frame, Error *error)
{
    const MessageSpec *spec = message_spec((uint8_t)type);
    if (spec == NULL || spec->class != MESSAGE_GREETING)
        return error_set(error, ERROR_PROTOCOL, "message type %d is not a greeting", (int)type);
    static const EmptyMessage AT_REST = {0};
    if (!record_pack(record != NULL ? spec->body : &EMPTY_RECORD, record != NULL ? record : &AT_REST, body,
                     error))
        return false;
    if (body->length > FRAME_PART_SIZE)
        return error_set(error, ERROR_TOO_LARGE, "%s has %zu bytes, the limit is %d", spec->name,
                         body->length, FRAME_PART_SIZE);
    *ret_frame = (OutgoingFrame){
        .header = {.major = PROTOCOL_MAJOR, .minor = PROTOCOL_MINOR, .type = (uint8_t)type},
        .body = body->data,
        .body_length = body->length,
    };
    memcpy(ret_frame->header.session_id, session_id, SESSION_ID_SIZE);
    return true;
}
