/* Intake: cuts connections that fill this process with a message that never ends.
 *
 * ZeroMQ limits a frame and counts whole messages, but keeps the frames of an unfinished message without any
 * limit, and its user sees nothing of it. So the owner of a TCP socket looks every intake_pause_ms(): when
 * the process has grown, connections on which much has arrived and nothing whole has come out are closed;
 * whoever is at the other end may connect again. Which connections there are a monitor of the socket tells.
 * Belongs to the thread of its socket.
 */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct IntakeConnection {
    int fd;
    bool fresh;    /* `base` is not known yet */
    bool took;     /* a whole message has come out since `base` was set */
    uint64_t base; /* bytes that had arrived when we looked */
} IntakeConnection;

/* A zeroed one is closed. */
typedef struct Intake {
    void *socket, *monitor;
    IntakeConnection *connections;
    size_t count, capacity;
    int64_t look_ms;
    size_t settled_pages; /* of the process, when nobody was suspected */
    bool watching;        /* since it grew: intake_took() wants to know of every message */
    bool drained;         /* since the last look there was a moment without a whole message */
} Intake;

/* `socket` is neither bound nor connected yet. */
bool intake_open(Intake *intake, void *zmq_context, void *socket, Error *error) MUST_CHECK;
void intake_close(Intake *intake);

/* While `watching`: a whole message has come over this descriptor; or, with -1, there is none now. */
void intake_took(Intake *intake, int fd);

/* How long the owner may wait before it looks again. */
int64_t intake_pause_ms(const Intake *intake);
void intake_look(Intake *intake, const char *address, int64_t now_ms);
