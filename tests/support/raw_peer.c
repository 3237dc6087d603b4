#include "tests/support/raw_peer.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { GREETING_SIZE = 64, MORE = 1, LONG = 2, COMMAND = 4 };

bool raw_send_bytes(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void read_all(int fd, void *bytes, size_t length)
{
    assert_int_equal(recv(fd, bytes, length, MSG_WAITALL), length);
}

int raw_open(const char *endpoint)
{
    static const char READY[] = "\x04\x1c\x05READY\x0bSocket-Type\0\0\0\6DEALER";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)atoi(strrchr(endpoint, ':') + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), little = 4096;
    struct timeval second = {.tv_sec = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    unsigned char greeting[GREETING_SIZE] = {[0] = 0xff, [9] = 0x7f, [10] = 3}, size[2], rest[255];
    memcpy(greeting + 12, "NULL", 4);
    assert_true(raw_send_bytes(fd, greeting, sizeof greeting));
    read_all(fd, greeting, sizeof greeting);
    assert_true(raw_send_bytes(fd, READY, sizeof READY - 1));
    read_all(fd, size, sizeof size);
    assert_int_equal(size[0], COMMAND);
    read_all(fd, rest, size[1]);
    return fd;
}

static size_t make_prefix(char prefix[RAW_PREFIX], bool more, size_t length)
{
    size_t digits = length > 255 ? 8 : 1;
    prefix[0] = (char)((more ? MORE : 0) | (digits > 1 ? LONG : 0));
    for (size_t i = 0; i < digits; i++)
        prefix[digits - i] = (char)(length >> 8 * i);
    return 1 + digits;
}

size_t raw_make_frame(char *out, bool more, const void *bytes, size_t length)
{
    size_t prefix = make_prefix(out, more, length);
    memcpy(out + prefix, bytes, length);
    return prefix + length;
}

bool raw_send(int fd, bool more, const void *bytes, size_t length)
{
    char prefix[RAW_PREFIX];
    return raw_send_bytes(fd, prefix, make_prefix(prefix, more, length)) && raw_send_bytes(fd, bytes, length);
}

bool raw_send_frame(int fd, const FrameHeader *header, const void *body, size_t length)
{
    unsigned char bytes[FRAME_HEADER_SIZE];
    frame_header_encode(header, bytes);
    return raw_send(fd, true, bytes, sizeof bytes) && raw_send(fd, false, body, length);
}

bool raw_greet(int fd, MessageType type, const uint8_t session_id[SESSION_ID_SIZE], const void *record)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer body = {0};
    OutgoingFrame frame;
    assert_true(message_greeting(type, session_id, record, &body, &frame, &error));
    return raw_send_frame(fd, &frame.header, frame.body, frame.body_length);
}
