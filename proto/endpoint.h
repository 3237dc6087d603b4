/* Endpoint: an address that a link may bind or connect, and who could reach it.
 *
 * Without keys only the owner of this process may be at the other end: inproc; ipc in a folder that belongs
 * to the effective user and is closed to everybody else; TCP on a loopback address, when ENDPOINT_PLAIN says
 * that every user of this machine may come in. Every other TCP needs keys.
 */
#pragma once
#include "common/error.h"

typedef enum EndpointKind { ENDPOINT_INPROC, ENDPOINT_IPC, ENDPOINT_TCP } EndpointKind;

/* What the caller allows. */
typedef enum EndpointTrust {
    ENDPOINT_STRICT = 0,
    ENDPOINT_PLAIN = 1, /* loopback TCP without keys */
    ENDPOINT_KEYS = 2,  /* TCP with keys: this program has some */
} EndpointTrust;

typedef struct Endpoint {
    EndpointKind kind;
    bool keys;     /* the link must use keys */
    char *address; /* as ZeroMQ wants it: names resolved */
    char *path;    /* ipc: of the socket */
    char *folder;  /* ipc: the one that holds the socket */
    bool ipv6;
} Endpoint;

/* Syntax, and whether the address may be used; `trust` is a sum of EndpointTrust. Looks at no file.
 * ERROR_CONFIG. */
bool endpoint_parse(const char *text, unsigned trust, bool bind, Endpoint *ret_endpoint,
                    Error *error) MUST_CHECK;
void endpoint_clear(Endpoint *endpoint);

/* ipc: whether the folder keeps others out; `create` makes a missing one. ERROR_CONFIG. */
bool endpoint_check_folder(const Endpoint *endpoint, bool create, Error *error) MUST_CHECK;

/* ipc: whether there is no such folder yet. */
bool endpoint_folder_missing(const Endpoint *endpoint);

/* ipc: whether the path is free or a left-over socket that nobody listens on. ZeroMQ would silently remove
 * whatever is there, be it a living socket. */
bool endpoint_check_free(const Endpoint *endpoint, Error *error) MUST_CHECK;

#define ENDPOINT_CLEANUP __attribute__((cleanup(endpoint_clear)))
