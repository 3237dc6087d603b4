/* A peer without any library in between: ZMTP by hand over plain TCP, so that it may stop in the middle of a
 * message, never end one, and never read. It connects and calls itself a DEALER. */
#pragma once
#include "proto/frame.h"
#include "proto/message.h"

/* After the handshake; the kernel keeps little of what is not read. */
int raw_open(const char *endpoint);

/* Bytes as they are; false when the other side has closed the connection or takes nothing for a second. */
bool raw_send_bytes(int fd, const void *bytes, size_t length);

/* One frame, made in `out`, which has room for its length and RAW_PREFIX; returns how long it is. */
enum { RAW_PREFIX = 9 };
size_t raw_make_frame(char *out, bool more, const void *bytes, size_t length);
bool raw_send(int fd, bool more, const void *bytes, size_t length);

/* A whole message: header and body. */
bool raw_send_frame(int fd, const FrameHeader *header, const void *body, size_t length);

/* HELLO or WHO. */
bool raw_greet(int fd, MessageType type, const uint8_t session_id[SESSION_ID_SIZE], const void *record);
