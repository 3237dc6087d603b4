/* Conversation: a worker's side of the talk with one coordinator; see proto/README.md for the states.
 *
 * It greets, accepts jobs (fetching the bundle once), turns the executor's reports into START and
 * RESULT, and keeps results until they are acknowledged, through lost links and renewed sessions of the same
 * run. Loop thread only.
 */
#pragma once
#include "proto/channel.h"
#include "worker/executor.h"

typedef struct Conversation Conversation;

/* What all conversations of one worker share. */
typedef struct ConversationHost {
    const Config *config;
    Executor *executor;
    const char *worker_uuid; /* hex */
    const char *worker_name; /* "host/pid" */
    int64_t slots;
    bool tenant_hooks;      /* tenants without work are wanted too */
    uint64_t conversations; /* numbers given out so far */
    int64_t incarnation;    /* greetings sent so far, to whomever */
} ConversationHost;

Conversation *conversation_new(ConversationHost *host, Link *link, const PeerId *peer, int64_t now_ms,
                               Error *error) MUST_CHECK;
void conversation_free(Conversation *conversation);
bool conversation_is_with(const Conversation *conversation, const Link *link, const PeerId *peer);

/* True when the frame belongs to this conversation's session, which goes on under the frame's peer id: after
 * a broken connection ZeroMQ gives the same coordinator another one. */
bool conversation_adopts(Conversation *conversation, const Link *link, const IncomingFrame *frame);

/* One frame from this peer. Protocol violations end the session and greet anew; only broken machinery returns
 * false. */
bool conversation_receive(Conversation *conversation, const IncomingFrame *frame, int64_t now_ms,
                          Error *error) MUST_CHECK;

/* Takes a report if it is about one of this conversation's jobs. */
bool conversation_takes(const Conversation *conversation, const Report *report);
bool conversation_report(Conversation *conversation, Report *report, Error *error) MUST_CHECK;

/* Sends what is due: greeting, heartbeat, collected reports, resends. */
bool conversation_turn(Conversation *conversation, int64_t now_ms, Error *error) MUST_CHECK;
int64_t conversation_wakeup_ms(const Conversation *conversation);

/* Takes nothing new; what has not started goes back. With cancel, what has started too. */
bool conversation_drain(Conversation *conversation, bool cancel, Error *error) MUST_CHECK;

/* Nothing is in flight and every result is acknowledged. */
bool conversation_is_quiet(const Conversation *conversation);
bool conversation_say_bye(Conversation *conversation, int64_t now_ms, Error *error) MUST_CHECK;

/* The coordinator said goodbye or has not answered for long, and nothing is left to do for it: a bound worker
 * may forget it. */
bool conversation_is_over(const Conversation *conversation, int64_t now_ms);
