/* HELLO: what a worker says of itself when it asks a coordinator for a session. */
#pragma once
#include "proto/channel.h"
#include "worker/conversation.h"

/* Says so once, with the host's next incarnation; `outbox` results are still held. */
bool hello_say(Channel *channel, const uint8_t *session_id, ConversationHost *host, size_t outbox,
               Error *error) MUST_CHECK;
