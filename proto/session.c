#include "proto/session.h"
#include "proto/session_internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

bool session_id_draw(uint8_t ret_id[SESSION_ID_SIZE], Error *error)
{
    /* Up to 256 bytes come whole or not at all. */
    if (getrandom(ret_id, SESSION_ID_SIZE, 0) == SESSION_ID_SIZE)
        return true;
    return error_set(error, ERROR_SYSTEM, "cannot draw random bytes: %s", strerror(errno));
}

Session *session_new(const SessionOptions *options, Error *error)
{
    Session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        error_memory(error);
        return NULL;
    }
    session->options = *options;
    if (session->options.window == 0)
        session->options.window = SESSION_WINDOW;
    session->next_seq = 1;
    session->peer_window = SESSION_WINDOW;
    session->resend_at_ms = INT64_MAX;
    session->resend_wait_ms = options->resend_ms;
    return session;
}

void session_free(Session *session)
{
    if (session == NULL)
        return;
    frame_ring_clear(&session->reliable);
    frame_ring_clear(&session->unreliable);
    buffer_clear(&session->scratch);
    buffer_clear(&session->assembly);
    free(session);
}

bool session_owns(const Session *session, const FrameHeader *header)
{
    return memcmp(header->session_id, session->options.session_id, SESSION_ID_SIZE) == 0;
}

uint64_t session_acked(const Session *session)
{
    return session->acked;
}

size_t session_backlog(const Session *session)
{
    return session->backlog;
}

bool session_owes_ack(const Session *session)
{
    return session->owes_ack;
}

int64_t session_wakeup_ms(const Session *session)
{
    return session->resend_at_ms;
}
