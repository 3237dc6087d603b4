/* Doorway: closes a listening TCP socket while this process has no descriptors for those who come.
 *
 * libzmq asks for a connection again at once when accept() fails for want of a descriptor, and so takes a
 * whole processor for nothing. So the owner looks every DOORWAY_LOOK_MS: with fewer than two descriptors left
 * the address is given up, whoever connects is refused by the kernel and tries again later; with eight it is
 * taken again. Connections that stand are not touched. Belongs to the thread of its socket.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { DOORWAY_LOOK_MS = 1000 };

typedef struct Doorway {
    bool closed;
    bool tried; /* closed, and the address could not be had again: said once */
    int64_t look_ms;
} Doorway;

/* `socket` is bound to the tcp:// endpoint `address`, as ZeroMQ names it. */
void doorway_look(Doorway *doorway, void *socket, const char *address, int64_t now_ms);
