/* Msgpack from a stranger: what the walk accepts, msgpack-c accepts too, reading the same number of bytes. */
#include "proto/msgpack_walk.h"
#include <msgpack.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ERROR_CLEANUP Error error = {0};
    if (!walk_check(data, size, &error)) {
        require(error.code == ERROR_PROTOCOL || error.code == ERROR_TOO_LARGE);
        return 0;
    }
    WalkCursor cursor = {.at = data, .end = data + size};
    require(walk_skip(&cursor, &error) && cursor.at == cursor.end);

    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    require(msgpack_unpack_next(&unpacked, (const char *)data, size, &offset) == MSGPACK_UNPACK_SUCCESS);
    require(offset == size);
    msgpack_unpacked_destroy(&unpacked);
    return 0;
}
