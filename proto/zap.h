/* ZAP: answers ZeroMQ's question whether a client of a listening link may come in (RFC 27).
 *
 * A thread of the WireContext, started before any link with keys listens and ended after all links are
 * closed. Whatever is not a CURVE key of a known peer is refused. If this thread should ever be gone, ZeroMQ
 * refuses everybody: links set ZMQ_ZAP_ENFORCE_DOMAIN.
 */
#pragma once
#include "proto/keyring.h"

/* The domain that links with keys name. */
extern const char ZAP_DOMAIN[];

typedef struct Zap Zap;

/* `zmq` is the context of the links. The keyring must outlive the thread. */
Zap *zap_start(void *zmq, Keyring *keyring, Error *error) MUST_CHECK;

/* Waits for the thread, which ends when the ZeroMQ context is shut down. Accepts NULL. */
void zap_join(Zap *zap);
