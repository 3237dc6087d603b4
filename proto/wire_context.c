#include "proto/wire_context.h"
#include <stdlib.h>
#include <zmq.h>

struct WireContext {
    void *zmq;
};

/* Sockets are few (a link each), but every one costs nothing until it is opened. */
enum { MAX_SOCKETS = 4096 };

WireContext *wire_context_new(Error *error)
{
    WireContext *context = calloc(1, sizeof *context);
    if (context == NULL) {
        error_memory(error);
        return NULL;
    }
    context->zmq = zmq_ctx_new();
    if (context->zmq == NULL || zmq_ctx_set(context->zmq, ZMQ_MAX_SOCKETS, MAX_SOCKETS) != 0) {
        error_set(error, ERROR_SYSTEM, "cannot start ZeroMQ: %s", zmq_strerror(zmq_errno()));
        wire_context_free(context);
        return NULL;
    }
    return context;
}

void wire_context_free(WireContext *context)
{
    if (context == NULL)
        return;
    while (context->zmq != NULL && zmq_ctx_term(context->zmq) != 0 && zmq_errno() == EINTR)
        ;
    free(context);
}

void *wire_context_zmq(WireContext *context)
{
    return context->zmq;
}
