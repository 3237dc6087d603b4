/* A sequence of frames into a session that has something to send itself. The input is a row of steps:
 *   flags u8, type u8, seq u8, ack u8, length u16 big-endian, body
 * Flag 0x80 of a step lets the session give a frame first, 0x40 refuses that frame, 0x20 lets 100 ms pass,
 * 0x10 queues a message of its own. */
#include "proto/session.h"
#include <stdlib.h>
#include <string.h>

enum { STEP_SIZE = 6, STEP_GIVE = 0x80, STEP_REFUSE = 0x40, STEP_WAIT = 0x20, STEP_SEND = 0x10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Lets the session act before it receives. */
static void act(Session *session, uint8_t flags, int64_t *now_ms)
{
    ERROR_CLEANUP Error error = {0};
    OutgoingFrame frame;
    if (flags & STEP_WAIT)
        *now_ms += 100;
    if (flags & STEP_SEND)
        require(session_send(session, MESSAGE_START, NULL, NULL, &error));
    if ((flags & STEP_GIVE) && session_next_frame(session, *now_ms, &frame)) {
        require(frame.header.seq == 0 || frame.header.seq > session_acked(session));
        if (flags & STEP_REFUSE)
            session_frame_refused(session);
    }
}

/* False when the session is over. */
static bool step(Session *session, const uint8_t *at, size_t length, int64_t now_ms)
{
    ERROR_CLEANUP Error error = {0};
    FrameHeader header = {.major = PROTOCOL_MAJOR,
                          .type = at[1],
                          .flags = at[0] & 0x0f,
                          .seq = at[2],
                          .ack = at[3],
                          .window = at[3] + 16u};
    Message message = {0};
    uint64_t acked = session_acked(session);
    SessionReceipt receipt =
        session_receive(session, &header, at + STEP_SIZE, length, now_ms, &message, &error);
    require((receipt == SESSION_MESSAGE) == (message.record != NULL));
    require((receipt == SESSION_BROKEN) == (error.code != ERROR_NONE));
    require(session_acked(session) >= acked);
    message_clear(&message);
    return receipt != SESSION_BROKEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ERROR_CLEANUP Error error = {0};
    Session *session = session_new(&(SessionOptions){.resend_ms = 100, .resend_max_ms = 400}, &error);
    require(session != NULL);
    int64_t now_ms = 0;
    size_t at = 0;
    while (size - at >= STEP_SIZE) {
        size_t length = (size_t)data[at + 4] << 8 | data[at + 5];
        if (length > size - at - STEP_SIZE)
            length = size - at - STEP_SIZE;
        act(session, data[at], &now_ms);
        if (!step(session, data + at, length, now_ms))
            break;
        at += STEP_SIZE + length;
    }
    session_free(session);
    return 0;
}
