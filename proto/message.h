/* Messages: every body on the wire, as a record; one table row per type.
 *
 * Durations only, never wall-clock instants; no secret ever travels, and no SQL outside BUNDLE but the
 * discovery query. Who sends what and when: proto/README.md.
 */
#pragma once
#include "common/buffer.h"
#include "common/record.h"
#include "proto/frame.h"
#include <stdint.h>

typedef enum MessageType {
    MESSAGE_HELLO = 1,   /* worker -> coordinator */
    MESSAGE_WELCOME,     /* coordinator -> worker */
    MESSAGE_REJECT,      /* coordinator -> worker */
    MESSAGE_HEARTBEAT,   /* both */
    MESSAGE_BUNDLE_REQ,  /* worker -> coordinator: unknown digest */
    MESSAGE_BUNDLE,      /* coordinator -> worker */
    MESSAGE_JOB,         /* coordinator -> worker */
    MESSAGE_START,       /* worker -> coordinator */
    MESSAGE_RESULT = 10, /* worker -> coordinator; 9 was news for displays that none showed */
    MESSAGE_ACK,         /* both: nothing but the header's ack and window */
    MESSAGE_ABORT,       /* coordinator -> worker */
    MESSAGE_DRAIN,       /* both: I take / send nothing new */
    MESSAGE_WHO,         /* both: I do not know this peer, greet again */
    MESSAGE_BYE,         /* both */
    MESSAGE_ERROR,       /* both */
    MESSAGE_TYPE_COUNT,
} MessageType;

typedef enum MessageClass {
    MESSAGE_GREETING,   /* outside any session: message_greeting(), message_unpack() */
    MESSAGE_UNRELIABLE, /* within a session, may get lost, never resent */
    MESSAGE_RELIABLE,   /* numbered, acknowledged, resent; delivered once and in order within a session */
} MessageClass;

typedef struct MessageSpec {
    const char *name;
    MessageClass class;
    const RecordType *body;
} MessageSpec;

const MessageSpec *message_spec(uint8_t type); /* NULL for an unknown type */

/* A decoded message: `record` is a struct of message_spec(type)->body, released by message_clear(). */
typedef struct Message {
    MessageType type;
    size_t size; /* of the body that it was */
    void *record;
} Message;

/* ERROR_PROTOCOL for an unknown type and for a body that is not a record of the type. */
bool message_unpack(uint8_t type, const void *body, size_t length, Message *ret_message,
                    Error *error) MUST_CHECK;
void message_clear(Message *message);

/* Makes the frame of a MESSAGE_GREETING type; record NULL = every field at rest. *ret_frame points into
 * *body, which the caller keeps until the frame is sent. */
bool message_greeting(MessageType type, const uint8_t session_id[SESSION_ID_SIZE], const void *record,
                      Buffer *body, OutgoingFrame *ret_frame, Error *error) MUST_CHECK;

typedef struct HelloDatabase {
    char *name;
    int64_t max_connections;
} HelloDatabase;

typedef struct HelloMessage {
    int64_t proto_min, proto_max;
    char *worker;        /* uuid of this process, hex */
    int64_t incarnation; /* counts this process's sessions; a HELLO with a lower one came late: ignore it */
    char *name;          /* "host/pid", for people */
    char *version;       /* of the product */
    int64_t slots;
    RecordList databases; /* HelloDatabase */
    bool tenant_hooks;
    int64_t outbox; /* results still unacknowledged */
} HelloMessage;

typedef struct WelcomeMessage {
    int64_t proto;     /* the major version that both sides speak from now on */
    char *coordinator; /* for people */
    char *run;         /* id of the run, hex: for logs and application_name */
    int64_t heartbeat_ms, suspect_ms, dead_ms;
} WelcomeMessage;

typedef struct RejectMessage {
    char *code;
    char *message;
} RejectMessage;

typedef struct HeartbeatMessage {
    int64_t in_flight; /* tenants queued or running for this coordinator */
    bool aborting;     /* coordinator: an ABORT stands, in case it was lost */
    bool cancelling;
} HeartbeatMessage;

typedef struct BundleRequestMessage {
    char *digest;
} BundleRequestMessage;

typedef struct BundleMessage {
    char *digest;          /* bundle_digest(); the receiver computes it again and compares */
    RecordList migrations; /* Migration */
} BundleMessage;

typedef struct JobTenant {
    int64_t index; /* of the coordinator's run table */
    int64_t attempt;
    char *id;
    char *schema;
    bool recovering;
    char *plan; /* migrate: TenantMigrationStatus.plan of the phase before, handed back unread; or NULL */
} JobTenant;

typedef struct JobMessage {
    int64_t job;
    int64_t phase; /* discover, parse, status, apply: each phase of a run has its own number */
    char *operation;
    char *database;
    int64_t grant;
    char *bundle;       /* digest, NULL when the operation needs none */
    RecordList options; /* RunOptions, exactly one */
    RecordList tenants; /* JobTenant */
} JobMessage;

typedef struct LeaseItem {
    int64_t index;
    int64_t attempt;
} LeaseItem;

typedef struct StartMessage {
    int64_t phase;
    RecordList leases; /* LeaseItem */
} StartMessage;

typedef struct ResultItem {
    int64_t index;
    int64_t attempt;
    char *outcome;
    ByteString body; /* packed record of the operation's result type */
} ResultItem;

typedef struct ResultMessage {
    int64_t phase;
    RecordList items; /* ResultItem */
} ResultMessage;

typedef struct AbortMessage {
    bool cancel; /* false: after the tenants in flight; true: now */
} AbortMessage;

typedef struct EmptyMessage {
    bool unused;
} EmptyMessage;

typedef struct ErrorMessage {
    char *code;
    char *message;
} ErrorMessage;

extern const RecordType HELLO_DATABASE_RECORD, HELLO_RECORD, WELCOME_RECORD, REJECT_RECORD, HEARTBEAT_RECORD,
    BUNDLE_REQUEST_RECORD, BUNDLE_RECORD, JOB_TENANT_RECORD, JOB_RECORD, LEASE_ITEM_RECORD, START_RECORD,
    EVENT_RECORD, RESULT_ITEM_RECORD, RESULT_RECORD, ABORT_RECORD, EMPTY_RECORD, ERROR_RECORD;
