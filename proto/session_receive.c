#include "proto/session_internal.h"
#include <string.h>

static SessionReceipt broken(Error *error, const FrameHeader *header, const char *how)
{
    error_set(error, ERROR_PROTOCOL, "frame %llu of type %d %s", (unsigned long long)header->seq,
              header->type, how);
    return SESSION_BROKEN;
}

/* What is wrong with the header for a message of this class, or NULL. */
static const char *header_fault(const FrameHeader *header, const MessageSpec *spec)
{
    bool numbered = header->seq > 0;
    bool part = (header->flags & FRAME_PART) != 0;
    if (spec == NULL && (header->flags & FRAME_MUST_UNDERSTAND))
        return "must be understood, and is not";
    if (spec != NULL && numbered != (spec->class == MESSAGE_RELIABLE))
        return numbered ? "is numbered, and must not be" : "has no number";
    if (part && !numbered)
        return "is a part without a number";
    if (!part && (header->flags & FRAME_LAST_PART))
        return "is a last part, but no part";
    return NULL;
}

static SessionReceipt deliver(const FrameHeader *header, const void *body, size_t length,
                              Message *ret_message, Error *error)
{
    if (message_spec(header->type) == NULL)
        return SESSION_NOTHING;
    return message_unpack(header->type, body, length, ret_message, error) ? SESSION_MESSAGE : SESSION_BROKEN;
}

/* Adds a part to the message under assembly, and delivers that with its last part. */
static SessionReceipt receive_part(Session *session, const FrameHeader *header, const void *body,
                                   size_t length, Message *ret_message, Error *error)
{
    if (session->assembling && header->type != session->assembly_type)
        return broken(error, header, "is a part of another message than the one before");
    if (length == 0)
        return broken(error, header, "is an empty part");
    if (session->assembly.length + length > MESSAGE_SIZE_MAX) {
        buffer_clear(&session->assembly);
        return broken(error, header, "makes its message too large");
    }
    session->assembling = true;
    session->assembly_type = header->type;
    buffer_append(&session->assembly, body, length);
    if (buffer_failed(&session->assembly)) {
        error_memory(error);
        return SESSION_BROKEN;
    }
    if (!(header->flags & FRAME_LAST_PART))
        return SESSION_NOTHING;
    SessionReceipt receipt =
        deliver(header, session->assembly.data, session->assembly.length, ret_message, error);
    buffer_clear(&session->assembly);
    session->assembling = false;
    return receipt;
}

static SessionReceipt receive_reliable(Session *session, const FrameHeader *header, const void *body,
                                       size_t length, Message *ret_message, Error *error)
{
    /* Also for a duplicate: its sender has missed our acknowledgement. And for a gap, so that its sender
     * learns where we stand. */
    session->owes_ack = true;
    if (header->seq != session->delivered + 1)
        return SESSION_NOTHING;
    SessionReceipt receipt;
    if (header->flags & FRAME_PART)
        receipt = receive_part(session, header, body, length, ret_message, error);
    else if (session->assembling)
        receipt = broken(error, header, "interrupts a message in parts");
    else
        receipt = deliver(header, body, length, ret_message, error);
    if (receipt != SESSION_BROKEN)
        session->delivered++;
    return receipt;
}

SessionReceipt session_receive(Session *session, const FrameHeader *header, const void *body,
                               size_t body_length, int64_t now_ms, Message *ret_message, Error *error)
{
    const MessageSpec *spec = message_spec(header->type);
    if (!session_owns(session, header) || (spec != NULL && spec->class == MESSAGE_GREETING))
        return SESSION_NOTHING;
    const char *fault = header_fault(header, spec);
    if (fault != NULL)
        return broken(error, header, fault);
    if (body_length > FRAME_BODY_MAX)
        return broken(error, header, "is too large");
    if (!session_acknowledge(session, header->ack, header->window, now_ms, error))
        return SESSION_BROKEN;
    if (header->seq > 0)
        return receive_reliable(session, header, body, body_length, ret_message, error);
    /* Of ACK nothing but the header counts, which is done. */
    if (header->type == MESSAGE_ACK)
        return SESSION_NOTHING;
    return deliver(header, body, body_length, ret_message, error);
}
