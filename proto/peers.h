/* Peers: who may come in, and which key a listening program proves itself with; read from the peers file.
 *
 * One line each: ROLE NAME PUBLIC-KEY [ADDRESS]. ROLE is coordinator or worker, ADDRESS the endpoint at which
 * a listening one is found. Two lines of one name are two keys of it, the old and the new one while keys are
 * changed. Blank lines and lines that start with # are skipped. The file must not be writable for others.
 * A Peers does not change; whoever reloads the file makes a new one.
 */
#pragma once
#include "common/error.h"
#include "proto/curve_key.h"
#include <stddef.h>

typedef enum PeerRole { PEER_COORDINATOR, PEER_WORKER } PeerRole;

typedef struct KnownPeer {
    PeerRole role;
    char *name;
    char public_key[CURVE_KEY_TEXT];
    char *address; /* NULL = none is stated */
    int64_t line;  /* of the file */
} KnownPeer;

typedef struct Peers {
    KnownPeer *items; /* in the order of the file */
    size_t count;
    KnownPeer **by_key; /* the same, in the order of their keys */
} Peers;

const char *peer_role_name(PeerRole role);
bool peer_role_from_name(const char *name, PeerRole *ret_role);

/* ERROR_CONFIG with "file:line: ..." for a line of another form, a key that stands there twice,
 * and a file that others may write. */
bool peers_read(const char *path, Peers *ret_peers, Error *error) MUST_CHECK;
/* The same from a text; `origin` stands for the file in messages. */
bool peers_parse(const char *text, size_t length, const char *origin, Peers *ret_peers,
                 Error *error) MUST_CHECK;
void peers_clear(Peers *peers);

/* The peer with this role and key, or NULL. */
const KnownPeer *peers_find(const Peers *peers, PeerRole role, const char *public_key);

/* Key number i (in the order of the file) of those that the program of this role at `address` may prove
 * itself with, or NULL. Lines with that very address; when there are none, the lines without address,
 * provided that all of them have one name. */
const KnownPeer *peers_at_address(const Peers *peers, PeerRole role, const char *address, size_t i);
