/* Conversation, inside: conversation.c owns the session, conversation_work.c what a run left here: its jobs,
 * bundle and results. */
#pragma once
#include "worker/conversation.h"

typedef enum ConversationState {
    CONVERSATION_GREETING, /* HELLO goes out each heartbeat until WELCOME answers it */
    CONVERSATION_SERVING,
} ConversationState;

/* A RESULT that the coordinator has not acknowledged yet. */
typedef struct Unacknowledged {
    struct Unacknowledged *prev, *next;
    uint64_t seq; /* in the current session */
    ResultMessage message;
} Unacknowledged;

/* A job that waits for its bundle. */
typedef struct WaitingJob {
    struct WaitingJob *prev, *next;
    JobMessage message;
} WaitingJob;

struct Conversation {
    ConversationHost *host;
    Channel channel;
    ConversationState state;
    uint8_t greeting_id[SESSION_ID_SIZE];
    int64_t dead_ms; /* as the coordinator said */
    bool draining, parted;
    int64_t greeting_since_ms;
    char log_context[80];

    char run_id[33];
    uint64_t number; /* of this run's conversation; reports carry it */
    Run *run;
    int64_t phase, job; /* the last job accepted: a resent one is not newer */
    size_t in_flight;   /* tenants accepted and not yet in a RESULT */
    SharedBundle *bundle;
    WaitingJob *waiting;
    Unacknowledged *outbox;

    /* What has begun and not ended: a renewed session hears of it again, because the START may have been lost
     * with the old one. Of one phase, as all work of a coordinator is. */
    StartMessage running;

    /* Collected since the last turn. */
    StartMessage starts;
    ResultMessage results;
    size_t result_bytes;
};

/* Forgets everything that belongs to the run served so far. Its tasks finish what they began; nobody hears of
 * it. */
void work_forget(Conversation *conversation);

/* Sends again what the coordinator may have missed when a session ended. */
bool work_send_again(Conversation *conversation, Error *error) MUST_CHECK;

bool work_receive_job(Conversation *conversation, JobMessage *job, Error *error) MUST_CHECK;
bool work_receive_bundle(Conversation *conversation, BundleMessage *message, Error *error) MUST_CHECK;

/* The same outcome for every tenant of a job. */
bool work_answer(Conversation *conversation, const JobMessage *job, Outcome outcome, Error *error) MUST_CHECK;

/* Start nothing more; also what an earlier Run of this conversation, from before a silence, has queued. With
 * cancel, what runs too. */
void work_abort(Conversation *conversation, bool cancel);

bool work_send_starts(Conversation *conversation, Error *error) MUST_CHECK;
bool work_send_results(Conversation *conversation, Error *error) MUST_CHECK;
void work_forget_acknowledged(Conversation *conversation);
