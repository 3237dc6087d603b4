#include "proto/channel.h"
#include <string.h>

enum {
    RETRY_MS = 20,              /* a full queue is tried again after this */
    UNREACHABLE_RETRY_MS = 200, /* a peer that is gone comes back rarely, and says so itself */
};

bool channel_open(Channel *channel, const uint8_t session_id[SESSION_ID_SIZE], int64_t resend_ms,
                  int64_t resend_max_ms, int64_t now_ms, Error *error)
{
    SessionOptions options = {.resend_ms = resend_ms, .resend_max_ms = resend_max_ms};
    memcpy(options.session_id, session_id, SESSION_ID_SIZE);
    Session *session = session_new(&options, error);
    if (session == NULL)
        return false;
    channel_close(channel);
    channel->session = session;
    memcpy(channel->session_id, session_id, SESSION_ID_SIZE);
    channel->heard_ms = now_ms;
    channel->beat_ms = now_ms;
    channel->unreachable_ms = 0;
    channel->retry_ms = 0;
    return true;
}

void channel_close(Channel *channel)
{
    session_free(channel->session);
    channel->session = NULL;
}

bool channel_owns(const Channel *channel, const FrameHeader *header)
{
    return channel->session != NULL && memcmp(channel->session_id, header->session_id, SESSION_ID_SIZE) == 0;
}

bool channel_greet(Channel *channel, MessageType type, const uint8_t session_id[SESSION_ID_SIZE],
                   const void *record, Error *error)
{
    BUFFER_CLEANUP Buffer body = {0};
    OutgoingFrame frame;
    return message_greeting(type, session_id, record, &body, &frame, error) &&
           link_send(channel->link, &channel->peer, &frame, error) != LINK_FAILED;
}

bool channel_pump(Channel *channel, int64_t now_ms, Error *error)
{
    channel->retry_ms = 0;
    for (;;) {
        OutgoingFrame frame;
        while (session_next_frame(channel->session, now_ms, &frame)) {
            LinkStatus status = link_send(channel->link, &channel->peer, &frame, error);
            if (status == LINK_OK) {
                channel->unreachable_ms = 0;
                continue;
            }
            session_frame_refused(channel->session);
            if (status == LINK_UNREACHABLE && channel->unreachable_ms == 0)
                channel->unreachable_ms = now_ms;
            channel->retry_ms = now_ms + (status == LINK_UNREACHABLE ? UNREACHABLE_RETRY_MS : RETRY_MS);
            return status != LINK_FAILED;
        }
        if (!session_owes_ack(channel->session))
            return true;
        if (!session_send(channel->session, MESSAGE_ACK, &(EmptyMessage){0}, NULL, error))
            return false;
    }
}

void channel_break(Channel *channel, const Error *broken, int64_t now_ms)
{
    ERROR_CLEANUP Error unsaid = {0};
    ErrorMessage message = {(char *)error_class(broken->code)->name, broken->message};
    if (session_send(channel->session, MESSAGE_ERROR, &message, NULL, &unsaid) &&
        !channel_pump(channel, now_ms, &unsaid))
        error_clear(&unsaid); /* a broken link shows itself at its next use */
    channel_close(channel);
}

int64_t channel_wakeup_ms(const Channel *channel)
{
    if (channel->session == NULL)
        return channel->beat_ms;
    /* What is due and was refused waits for the retry: a time that has passed would make the loop spin. */
    int64_t resend_ms = channel->retry_ms != 0 ? channel->retry_ms : session_wakeup_ms(channel->session);
    return resend_ms < channel->beat_ms ? resend_ms : channel->beat_ms;
}
