/* One frame, header and body: the body is read as the type in the header says. What is accepted and packed
 * again comes back the same. */
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/record_codec.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_header(const uint8_t *data, const FrameHeader *header)
{
    unsigned char again[FRAME_HEADER_SIZE];
    frame_header_encode(header, again);
    require(memcmp(data, again, FRAME_HEADER_SIZE) == 0);
}

/* Packing is canonical: packed, read and packed again, a message gives the same bytes. */
static void check_body(const Message *message)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer first = {0}, second = {0};
    Message again = {0};
    const RecordType *type = message_spec((uint8_t)message->type)->body;
    require(record_pack(type, message->record, &first, &error));
    require(message_unpack((uint8_t)message->type, first.data, first.length, &again, &error));
    require(record_pack(type, again.record, &second, &error));
    require(first.length == second.length && memcmp(first.data, second.data, first.length) == 0);
    message_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ERROR_CLEANUP Error error = {0};
    FrameHeader header;
    size_t header_size = size < FRAME_HEADER_SIZE ? size : FRAME_HEADER_SIZE;
    if (!frame_header_decode(data, header_size, &header, &error))
        return 0;
    check_header(data, &header);
    Message message = {0};
    if (message_unpack(header.type, data + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE, &message, &error))
        check_body(&message);
    message_clear(&message);
    return 0;
}
