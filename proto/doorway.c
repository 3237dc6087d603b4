#include "proto/doorway.h"
#include "common/log.h"
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

enum { FEWEST = 2, ENOUGH = 8 };

/* Whether so many descriptors can be had now. */
static bool can_open(int count)
{
    int descriptors[ENOUGH], opened = 0;
    while (opened < count && (descriptors[opened] = eventfd(0, EFD_CLOEXEC)) >= 0)
        opened++;
    for (int i = 0; i < opened; i++)
        close(descriptors[i]);
    return opened == count;
}

static void close_door(Doorway *doorway, void *socket, const char *address)
{
    if (zmq_unbind(socket, address) != 0)
        return;
    doorway->closed = true;
    doorway->tried = false;
    log_message(LOG_WARNING, address, "no file descriptors are left: nobody new is let in until some are");
}

/* ZeroMQ gives an address up in the background, so the first try may come too early. */
static void open_door(Doorway *doorway, void *socket, const char *address)
{
    if (zmq_bind(socket, address) == 0) {
        doorway->closed = false;
        log_message(LOG_INFO, address, "listening again");
    } else if (!doorway->tried) {
        doorway->tried = true;
        log_message(LOG_WARNING, address, "cannot listen again yet: %s", zmq_strerror(zmq_errno()));
    }
}

void doorway_look(Doorway *doorway, void *socket, const char *address, int64_t now_ms)
{
    if (now_ms < doorway->look_ms)
        return;
    doorway->look_ms = now_ms + DOORWAY_LOOK_MS;
    if (!doorway->closed && !can_open(FEWEST))
        close_door(doorway, socket, address);
    else if (doorway->closed && can_open(ENOUGH))
        open_door(doorway, socket, address);
}
