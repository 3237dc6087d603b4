#include "proto/intake.h"
#include "common/log.h"
#include <linux/tcp.h> /* the libc's own tcp_info is short of the byte counters */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

enum {
    LOOK_MS = 100,
    WATCH_MS = 10,
    GROWTH_KIB = 64 << 10,    /* of the process, before anybody is suspected */
    UNFINISHED_MAX = 4 << 20, /* bytes without a message while none was left to take, ... */
    UNTAKEN_MAX = 96 << 20,   /* ... and while there always was one: more than a full queue holds */
    EVENTS = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED,
};

bool intake_open(Intake *intake, void *zmq_context, void *socket, Error *error)
{
    static atomic_uint number;
    char name[48];
    intake->socket = socket;
    int unlimited = 0, linger = 0;
    snprintf(name, sizeof name, "inproc://pgconvoy-intake-%u", atomic_fetch_add(&number, 1));
    /* With a limit ZeroMQ's own thread would wait for us. */
    if (zmq_socket_monitor(socket, name, EVENTS) != 0 ||
        (intake->monitor = zmq_socket(zmq_context, ZMQ_PAIR)) == NULL ||
        zmq_setsockopt(intake->monitor, ZMQ_RCVHWM, &unlimited, sizeof unlimited) != 0 ||
        zmq_setsockopt(intake->monitor, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_connect(intake->monitor, name) != 0) {
        error_set(error, ERROR_SYSTEM, "cannot watch a socket: %s", zmq_strerror(zmq_errno()));
        intake_close(intake);
        return false;
    }
    return true;
}

void intake_close(Intake *intake)
{
    if (intake->monitor != NULL)
        zmq_close(intake->monitor);
    free(intake->connections);
    *intake = (Intake){0};
}

static IntakeConnection *find(Intake *intake, int fd)
{
    for (size_t i = 0; i < intake->count; i++)
        if (intake->connections[i].fd == fd)
            return &intake->connections[i];
    return NULL;
}

static void forget(Intake *intake, int fd)
{
    IntakeConnection *connection = find(intake, fd);
    if (connection != NULL)
        *connection = intake->connections[--intake->count];
}

/* One that there is no memory for is not watched. */
static void add(Intake *intake, int fd)
{
    forget(intake, fd);
    if (intake->count == intake->capacity) {
        size_t capacity = intake->capacity > 0 ? 2 * intake->capacity : 8;
        IntakeConnection *connections = realloc(intake->connections, capacity * sizeof *connections);
        if (connections == NULL)
            return;
        intake->connections = connections;
        intake->capacity = capacity;
    }
    intake->connections[intake->count++] = (IntakeConnection){.fd = fd, .fresh = true};
}

/* An event is two frames: number and value, packed, and the address. */
static void take_events(Intake *intake)
{
    unsigned char event[6];
    char address[256];
    while (zmq_recv(intake->monitor, event, sizeof event, ZMQ_DONTWAIT) == (int)sizeof event) {
        uint16_t kind;
        int32_t fd;
        memcpy(&kind, event, sizeof kind);
        memcpy(&fd, event + sizeof kind, sizeof fd);
        zmq_recv(intake->monitor, address, sizeof address, ZMQ_DONTWAIT);
        if (kind == ZMQ_EVENT_DISCONNECTED)
            forget(intake, fd);
        else
            add(intake, fd);
    }
}

/* Resident, or 0 when the kernel does not say. */
static size_t process_pages(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages;
}

/* Bytes of a connection that ZeroMQ has read so far; false for what is no TCP connection any more. */
static bool bytes_read(int fd, uint64_t *ret_bytes)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int waiting = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || ioctl(fd, FIONREAD, &waiting) != 0)
        return false;
    *ret_bytes = info.tcpi_bytes_received - (uint64_t)waiting;
    return true;
}

void intake_took(Intake *intake, int fd)
{
    if (fd < 0)
        intake->drained = true;
    IntakeConnection *connection = fd >= 0 ? find(intake, fd) : NULL;
    if (connection != NULL)
        connection->took = true;
}

/* Whole messages may have come in since the owner found none. */
static bool is_drained(const Intake *intake)
{
    int events = 0;
    size_t size = sizeof events;
    return intake->drained && zmq_getsockopt(intake->socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN) == 0;
}

/* True when the connection may still be at fault. */
static bool judge(IntakeConnection *connection, bool drained, const char *address)
{
    uint64_t bytes;
    if (!bytes_read(connection->fd, &bytes))
        return false;
    bool again = connection->fresh || connection->took || bytes < connection->base;
    uint64_t unfinished = again ? 0 : bytes - connection->base;
    if (unfinished > (drained ? UNFINISHED_MAX : UNTAKEN_MAX)) {
        log_message(LOG_WARNING, address, "a message does not end; its connection is closed");
        shutdown(connection->fd, SHUT_RDWR);
        return false;
    }
    bool grew = bytes != connection->base;
    if (again)
        connection->base = bytes;
    connection->fresh = connection->took = false;
    return grew;
}

static void start_watching(Intake *intake)
{
    intake->watching = true;
    for (size_t i = 0; i < intake->count; i++)
        intake->connections[i].fresh = true;
}

int64_t intake_pause_ms(const Intake *intake)
{
    return intake->watching ? WATCH_MS : LOOK_MS;
}

void intake_look(Intake *intake, const char *address, int64_t now_ms)
{
    if (intake->monitor == NULL || now_ms < intake->look_ms)
        return;
    intake->look_ms = now_ms + LOOK_MS;
    take_events(intake);
    size_t pages = process_pages(), growth = (size_t)GROWTH_KIB * 1024 / (size_t)sysconf(_SC_PAGESIZE);
    if (intake->settled_pages == 0 || pages < intake->settled_pages)
        intake->settled_pages = pages;
    if (!intake->watching && pages < intake->settled_pages + growth)
        return;
    if (!intake->watching)
        start_watching(intake);
    intake->look_ms = now_ms + WATCH_MS;
    bool suspects = false, drained = is_drained(intake);
    for (size_t i = 0; i < intake->count; i++)
        suspects |= judge(&intake->connections[i], drained, address);
    intake->drained = false;
    intake->watching = suspects;
    if (!suspects)
        intake->settled_pages = pages;
}
