#include "proto/record_codec.h"
#include "proto/session_internal.h"
#include <stdlib.h>
#include <string.h>

/* ---- queueing ---- */

static bool pack_message(Session *session, const MessageSpec *spec, const void *record, Payload **ret_payload,
                         Error *error)
{
    static const EmptyMessage AT_REST = {0};
    Buffer *scratch = &session->scratch;
    if (!record_pack(record != NULL ? spec->body : &EMPTY_RECORD, record != NULL ? record : &AT_REST, scratch,
                     error))
        return false;
    size_t limit = spec->class == MESSAGE_RELIABLE ? MESSAGE_SIZE_MAX : FRAME_PART_SIZE;
    if (scratch->length > limit)
        return error_set(error, ERROR_TOO_LARGE, "%s has %zu bytes, the limit is %zu", spec->name,
                         scratch->length, limit);
    Payload *payload = malloc(sizeof *payload + scratch->length);
    if (payload == NULL)
        return error_memory(error);
    *payload = (Payload){.length = scratch->length};
    memcpy(payload->bytes, scratch->data, scratch->length);
    if (scratch->capacity > FRAME_PART_SIZE)
        buffer_clear(scratch);
    *ret_payload = payload;
    return true;
}

static bool queue_reliable(Session *session, MessageType type, Payload *payload)
{
    size_t parts = (payload->length + FRAME_PART_SIZE - 1) / FRAME_PART_SIZE;
    if (!frame_ring_reserve(&session->reliable, parts))
        return false;
    for (size_t part = 0; part < parts; part++) {
        size_t offset = part * FRAME_PART_SIZE;
        SentFrame frame = {
            .payload = payload,
            .offset = (uint32_t)offset,
            .length = (uint32_t)(part + 1 < parts ? FRAME_PART_SIZE : payload->length - offset),
            .type = (uint8_t)type,
            .flags = FRAME_MUST_UNDERSTAND,
        };
        if (parts > 1)
            frame.flags |= part + 1 < parts ? FRAME_PART : FRAME_PART | FRAME_LAST_PART;
        frame_ring_push(&session->reliable, &frame);
    }
    session->queued += parts;
    session->backlog += payload->length;
    return true;
}

static bool queue_unreliable(Session *session, MessageType type, Payload *payload)
{
    if (session->unreliable.count == SESSION_UNRELIABLE) {
        frame_ring_pop(&session->unreliable);
        session->given = session->given == GIVEN_UNRELIABLE ? GIVEN_NONE : session->given;
    }
    if (!frame_ring_reserve(&session->unreliable, 1))
        return false;
    SentFrame frame = {.payload = payload, .length = (uint32_t)payload->length, .type = (uint8_t)type};
    frame_ring_push(&session->unreliable, &frame);
    return true;
}

bool session_send(Session *session, MessageType type, const void *record, uint64_t *ret_seq, Error *error)
{
    const MessageSpec *spec = message_spec((uint8_t)type);
    if (spec == NULL || spec->class == MESSAGE_GREETING)
        return error_set(error, ERROR_PROTOCOL, "message type %d does not belong into a session", (int)type);
    Payload *payload;
    if (!pack_message(session, spec, record, &payload, error))
        return false;
    bool reliable = spec->class == MESSAGE_RELIABLE;
    if (reliable ? !queue_reliable(session, type, payload) : !queue_unreliable(session, type, payload)) {
        free(payload);
        return error_memory(error);
    }
    if (ret_seq != NULL)
        *ret_seq = reliable ? session->queued : 0;
    return true;
}

/* ---- giving frames to the link ---- */

static void give(Session *session, const SentFrame *frame, uint64_t seq, OutgoingFrame *ret_frame)
{
    *ret_frame = (OutgoingFrame){
        .header = {.major = PROTOCOL_MAJOR,
                   .minor = PROTOCOL_MINOR,
                   .type = frame->type,
                   .flags = frame->flags,
                   .seq = seq,
                   .ack = session->delivered,
                   .window = session->delivered + session->options.window},
        .body = frame->payload->bytes + frame->offset,
        .body_length = frame->length,
    };
    memcpy(ret_frame->header.session_id, session->options.session_id, SESSION_ID_SIZE);
    session->given_owed_ack = session->owes_ack;
    session->owes_ack = false;
}

/* Goes back to the oldest unacknowledged frame and sends that one alone: if only its acknowledgement was
 * lost, or the peer is merely slow, the rest need not travel again. */
static void begin_resend(Session *session, int64_t now_ms)
{
    session->next_seq = session->acked + 1;
    session->probing = false;
    session->probe_due = true;
    if (session->resend_wait_ms <= session->options.resend_max_ms / 2)
        session->resend_wait_ms *= 2;
    else
        session->resend_wait_ms = session->options.resend_max_ms;
    session->resend_at_ms = now_ms + session->resend_wait_ms;
}

static bool next_reliable(Session *session, int64_t now_ms, OutgoingFrame *ret_frame)
{
    if (now_ms >= session->resend_at_ms)
        begin_resend(session, now_ms);
    uint64_t seq = session->next_seq;
    if (session->probing || seq > session->queued || seq > session->peer_window)
        return false;
    give(session, frame_ring_at(&session->reliable, (size_t)(seq - session->acked - 1)), seq, ret_frame);
    session->given = seq <= session->sent_high ? GIVEN_RELIABLE_AGAIN : GIVEN_RELIABLE;
    session->probing = session->probe_due;
    session->probe_due = false;
    session->next_seq = seq + 1;
    if (seq > session->sent_high)
        session->sent_high = seq;
    if (session->resend_at_ms == INT64_MAX)
        session->resend_at_ms = now_ms + session->resend_wait_ms;
    return true;
}

bool session_next_frame(Session *session, int64_t now_ms, OutgoingFrame *ret_frame)
{
    if (session->given == GIVEN_UNRELIABLE)
        frame_ring_pop(&session->unreliable);
    session->given = GIVEN_NONE;
    if (session->unreliable.count > 0) {
        give(session, frame_ring_at(&session->unreliable, 0), 0, ret_frame);
        session->given = GIVEN_UNRELIABLE;
        return true;
    }
    return next_reliable(session, now_ms, ret_frame);
}

void session_frame_refused(Session *session)
{
    if (session->given == GIVEN_NONE)
        return;
    session->owes_ack = session->given_owed_ack;
    if (session->given == GIVEN_RELIABLE)
        session->sent_high--;
    if (session->given != GIVEN_UNRELIABLE) {
        session->next_seq--;
        session->probe_due = session->probing;
        session->probing = false;
    }
    if (session->sent_high == session->acked)
        session->resend_at_ms = INT64_MAX;
    session->given = GIVEN_NONE;
}

bool session_acknowledge(Session *session, uint64_t ack, uint64_t window, int64_t now_ms, Error *error)
{
    if (ack > session->sent_high)
        return error_set(error, ERROR_PROTOCOL, "peer acknowledges frame %llu, the last one sent is %llu",
                         (unsigned long long)ack, (unsigned long long)session->sent_high);
    if (window > session->peer_window)
        session->peer_window = window;
    if (ack <= session->acked)
        return true;
    while (session->acked < ack) {
        session->backlog -= frame_ring_at(&session->reliable, 0)->length;
        frame_ring_pop(&session->reliable);
        session->acked++;
    }
    if (session->next_seq <= session->acked)
        session->next_seq = session->acked + 1;
    session->probing = false;
    session->probe_due = false;
    session->resend_wait_ms = session->options.resend_ms;
    session->resend_at_ms =
        session->acked < session->sent_high ? now_ms + session->resend_wait_ms : INT64_MAX;
    return true;
}
