#include "proto/endpoint.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATH_LENGTH_MAX = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
    INPROC_NAME_MAX = 255,
};

static bool malformed(Error *error, const char *text, const char *why)
{
    error_set(error, ERROR_CONFIG, "endpoint \"%s\" %s", text, why);
    error_set_hint(error, "write inproc://NAME, ipc:///FOLDER/NAME or tcp://HOST:PORT.");
    return false;
}

static bool parse_inproc(const char *text, const char *name, Endpoint *endpoint, Error *error)
{
    if (*name == '\0' || strlen(name) > INPROC_NAME_MAX)
        return malformed(error, text, "needs a name of 1 to 255 bytes");
    endpoint->address = strdup(text);
    return endpoint->address != NULL ? true : error_memory(error);
}

static bool parse_ipc(const char *text, const char *path, Endpoint *endpoint, Error *error)
{
    size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/')
        return malformed(error, text, "names no socket file");
    if (*path == '@' || strcmp(path, "*") == 0) {
        error_set(error, ERROR_CONFIG, "endpoint \"%s\" lies in no folder that could keep others out", text);
        error_set_hint(error, "write ipc:///FOLDER/NAME with a folder of your own.");
        return false;
    }
    if (length > PATH_LENGTH_MAX) {
        error_set(error, ERROR_CONFIG, "endpoint \"%s\" has a path of %zu bytes, the system's limit is %d",
                  text, length, PATH_LENGTH_MAX);
        error_set_hint(error, "choose a shorter folder, such as one below /run or /tmp.");
        return false;
    }
    const char *slash = strrchr(path, '/');
    endpoint->address = strdup(text);
    endpoint->path = strdup(path);
    if (slash == NULL)
        endpoint->folder = strdup(".");
    else
        endpoint->folder = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (endpoint->address == NULL || endpoint->path == NULL || endpoint->folder == NULL)
        return error_memory(error);
    return true;
}

/* 1 to 65535, or "*" for any free port when binding. */
static bool port_valid(const char *port, bool bind)
{
    if (bind && strcmp(port, "*") == 0)
        return true;
    if (*port == '\0' || strlen(port) > 5 || strspn(port, "0123456789") != strlen(port))
        return false;
    long number = strtol(port, NULL, 10);
    return number >= 1 && number <= 65535;
}

/* The address that a loopback host stands for, NULL for any other host. "localhost" is taken at its word: a
 * name server must not decide where an unprotected link leads. */
static const char *loopback_address(const char *host)
{
    if (strcmp(host, "localhost") == 0)
        return "127.0.0.1";
    if (strcmp(host, "[::1]") == 0)
        return host;
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127)
        return host;
    return NULL;
}

/* Why a TCP address may not be used with the trust that there is. */
static bool refuse_tcp(const char *text, bool loopback, Error *error)
{
    if (loopback) {
        error_set(error, ERROR_CONFIG, "endpoint \"%s\" is open to every user of this machine", text);
        error_set_hint(error,
                       "give --plain on both sides to accept that, use ipc://, or give both sides keys "
                       "(pgconvoy keygen).");
        return false;
    }
    error_set(error, ERROR_CONFIG, "endpoint \"%s\" reaches beyond this machine and needs keys", text);
    error_set_hint(error, "make a key for each side with `pgconvoy keygen`, and name it with --key-file, and "
                          "the other side's with --peers.");
    return false;
}

static bool parse_tcp(const char *text, const char *host_and_port, unsigned trust, bool bind,
                      Endpoint *endpoint, Error *error)
{
    const char *colon = strrchr(host_and_port, ':');
    if (colon == NULL || colon == host_and_port || !port_valid(colon + 1, bind))
        return malformed(error, text,
                         bind ? "needs a host and a port of 1 to 65535, or * for any free port"
                              : "needs a host and a port of 1 to 65535");
    char *host = strndup(host_and_port, (size_t)(colon - host_and_port));
    if (host == NULL)
        return error_memory(error);
    const char *loopback = loopback_address(host);
    bool plain = loopback != NULL && (trust & ENDPOINT_PLAIN) != 0;
    bool allowed = false;
    if (!plain && (trust & ENDPOINT_KEYS) == 0)
        refuse_tcp(text, loopback != NULL, error);
    else if (asprintf(&endpoint->address, "tcp://%s:%s", loopback != NULL ? loopback : host, colon + 1) < 0) {
        endpoint->address = NULL;
        error_memory(error);
    } else {
        endpoint->keys = !plain;
        endpoint->ipv6 = *host == '[';
        allowed = true;
    }
    free(host);
    return allowed;
}

bool endpoint_parse(const char *text, unsigned trust, bool bind, Endpoint *ret_endpoint, Error *error)
{
    ENDPOINT_CLEANUP Endpoint endpoint = {0};
    bool parsed;
    if (strncmp(text, "inproc://", 9) == 0) {
        endpoint.kind = ENDPOINT_INPROC;
        parsed = parse_inproc(text, text + 9, &endpoint, error);
    } else if (strncmp(text, "ipc://", 6) == 0) {
        endpoint.kind = ENDPOINT_IPC;
        parsed = parse_ipc(text, text + 6, &endpoint, error);
    } else if (strncmp(text, "tcp://", 6) == 0) {
        endpoint.kind = ENDPOINT_TCP;
        parsed = parse_tcp(text, text + 6, trust, bind, &endpoint, error);
    } else
        parsed = malformed(error, text, "has no transport that is known");
    if (!parsed)
        return false;
    *ret_endpoint = endpoint;
    endpoint = (Endpoint){0};
    return true;
}

void endpoint_clear(Endpoint *endpoint)
{
    free(endpoint->address);
    free(endpoint->path);
    free(endpoint->folder);
    *endpoint = (Endpoint){0};
}

bool endpoint_check_folder(const Endpoint *endpoint, bool create, Error *error)
{
    if (endpoint->kind != ENDPOINT_IPC)
        return true;
    const char *folder = endpoint->folder;
    if (create && mkdir(folder, 0700) != 0 && errno != EEXIST)
        return error_set(error, ERROR_CONFIG, "cannot make folder \"%s\" for endpoint \"%s\": %s", folder,
                         endpoint->address, strerror(errno));
    /* A symbolic link could be turned elsewhere after the check. */
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    bool known = fd >= 0 && fstat(fd, &status) == 0;
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (!known) {
        error_set(error, ERROR_CONFIG, "cannot look into folder \"%s\" of endpoint \"%s\": %s", folder,
                  endpoint->address, strerror(reason));
        error_set_hint(error, "the binding side makes the folder; start that first, and name it without "
                              "symbolic links.");
        return false;
    }
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
        error_set(error, ERROR_CONFIG, "folder \"%s\" of endpoint \"%s\" does not keep other users out",
                  folder, endpoint->address);
        error_set_detail(error, "owner %u, mode %04o", (unsigned)status.st_uid,
                         (unsigned)(status.st_mode & 07777));
        error_set_hint(error, "use a folder that belongs to you, with mode 0700.");
        return false;
    }
    return true;
}

bool endpoint_folder_missing(const Endpoint *endpoint)
{
    struct stat status;
    return endpoint->kind == ENDPOINT_IPC && lstat(endpoint->folder, &status) != 0 && errno == ENOENT;
}

/* Whether a process listens on the socket file. */
static bool answers(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    /* EAGAIN: somebody listens, and the queue is full. */
    bool answered = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return answered;
}

bool endpoint_check_free(const Endpoint *endpoint, Error *error)
{
    struct stat status;
    if (endpoint->kind != ENDPOINT_IPC || lstat(endpoint->path, &status) != 0)
        return true;
    if (!S_ISSOCK(status.st_mode))
        return error_set(error, ERROR_CONFIG, "endpoint \"%s\" names a file that is no socket",
                         endpoint->address);
    if (answers(endpoint->path)) {
        error_set(error, ERROR_CONFIG, "endpoint \"%s\" is in use by another process", endpoint->address);
        error_set_hint(error, "stop that process, or choose another name.");
        return false;
    }
    return true;
}
