/* The peers file: whatever it holds, it is read or refused with a place; what was read can be looked up. */
#include "proto/peers.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ERROR_CLEANUP Error error = {0};
    Peers peers = {0};
    if (!peers_parse((const char *)data, size, "peers", &peers, &error)) {
        if (error.message == NULL || peers.count != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < peers.count; i++) {
        const KnownPeer *peer = &peers.items[i];
        if (peers_find(&peers, peer->role, peer->public_key) != peer)
            abort();
        if (peer->address != NULL && peers_at_address(&peers, peer->role, peer->address, 0) == NULL)
            abort();
    }
    peers_clear(&peers);
    return 0;
}
