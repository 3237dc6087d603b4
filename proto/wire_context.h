/* Wire context, as seen inside proto/: the ZeroMQ context that links share. Thread-safe. */
#pragma once
#include "proto/keyring.h"
#include "proto/link.h"

/* The ZeroMQ context; it belongs to the WireContext. */
void *wire_context_zmq(WireContext *context);

/* NULL while it has no keys. */
Keyring *wire_context_keyring(WireContext *context);
