#include "proto/peers.h"
#include "common/file.h"
#include "common/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEERS_FILE_MAX = 16 * 1024 * 1024, NAME_MAX_BYTES = 255, FIELDS_MAX = 4 };

static const char *const ROLES[] = {[PEER_COORDINATOR] = "coordinator", [PEER_WORKER] = "worker"};

const char *peer_role_name(PeerRole role)
{
    return ROLES[role];
}

bool peer_role_from_name(const char *name, PeerRole *ret_role)
{
    for (int role = PEER_COORDINATOR; role <= PEER_WORKER; role++)
        if (strcmp(name, ROLES[role]) == 0) {
            *ret_role = (PeerRole)role;
            return true;
        }
    return false;
}

/* Cuts a line at its spaces and tabs; returns how many fields it has, FIELDS_MAX + 1 when more than that. */
static size_t split(char *line, char *fields[FIELDS_MAX])
{
    size_t count = 0;
    for (char *rest = NULL, *field = strtok_r(line, " \t\r", &rest); field != NULL;
         field = strtok_r(NULL, " \t\r", &rest)) {
        if (count == FIELDS_MAX)
            return FIELDS_MAX + 1;
        fields[count++] = field;
    }
    return count;
}

/* What is wrong with a line's fields, or NULL. */
static const char *check_fields(char *const fields[FIELDS_MAX], size_t count, PeerRole *ret_role)
{
    if (count < 3 || count > FIELDS_MAX)
        return "is not ROLE NAME PUBLIC-KEY [ADDRESS]";
    if (!peer_role_from_name(fields[0], ret_role))
        return "begins neither with coordinator nor with worker";
    if (strlen(fields[1]) > NAME_MAX_BYTES || utf8_has_control(fields[1]))
        return "has a name of more than 255 bytes, or with control characters";
    if (!curve_public_key_valid(fields[2]))
        return "has no public key, 40 characters as `pgconvoy keygen` prints them";
    if (count == FIELDS_MAX && strncmp(fields[3], "tcp://", 6) != 0)
        return "has an address that does not begin with tcp://";
    return NULL;
}

static bool add_peer(Peers *peers, PeerRole role, char *const fields[FIELDS_MAX], size_t count, Error *error)
{
    KnownPeer *items = realloc(peers->items, (peers->count + 1) * sizeof *items);
    if (items == NULL)
        return error_memory(error);
    peers->items = items;
    KnownPeer *peer = &items[peers->count];
    *peer = (KnownPeer){.role = role, .name = strdup(fields[1])};
    memcpy(peer->public_key, fields[2], CURVE_KEY_TEXT);
    peer->address = count == FIELDS_MAX ? strdup(fields[3]) : NULL;
    peers->count++;
    return (peer->name != NULL && (count < FIELDS_MAX || peer->address != NULL)) || error_memory(error);
}

static bool parse_line(char *line, const char *origin, int64_t number, Peers *peers, Error *error)
{
    char *fields[FIELDS_MAX];
    size_t count = *line == '#' ? 0 : split(line, fields);
    if (count == 0)
        return true;
    PeerRole role;
    const char *wrong = check_fields(fields, count, &role);
    if (wrong != NULL) {
        error_set(error, ERROR_CONFIG, "%s:%lld: the line %s", origin, (long long)number, wrong);
        error_set_hint(error, "write one peer a line, such as: worker db-7 KEY, or coordinator deploy KEY "
                              "tcp://10.0.0.1:5570.");
        return false;
    }
    if (!add_peer(peers, role, fields, count, error))
        return false;
    peers->items[peers->count - 1].line = number;
    return true;
}

static int compare_keys(const void *left, const void *right)
{
    const KnownPeer *const *a = left, *const *b = right;
    int order = strcmp((*a)->public_key, (*b)->public_key);
    return order != 0 ? order : (*a)->line < (*b)->line ? -1 : 1;
}

/* Orders the peers by key. A key that two peers had could not tell them apart. */
static bool index_keys(Peers *peers, const char *origin, Error *error)
{
    if ((peers->by_key = calloc(peers->count + 1, sizeof *peers->by_key)) == NULL)
        return error_memory(error);
    for (size_t i = 0; i < peers->count; i++)
        peers->by_key[i] = &peers->items[i];
    qsort(peers->by_key, peers->count, sizeof *peers->by_key, compare_keys);
    for (size_t i = 1; i < peers->count; i++) {
        const KnownPeer *first = peers->by_key[i - 1], *second = peers->by_key[i];
        if (strcmp(first->public_key, second->public_key) != 0)
            continue;
        error_set(error, ERROR_CONFIG, "%s:%lld: this key is already that of %s \"%s\" in line %lld", origin,
                  (long long)second->line, peer_role_name(first->role), first->name, (long long)first->line);
        error_set_hint(error, "give every program a key pair of its own, and each key one line.");
        return false;
    }
    return true;
}

bool peers_parse(const char *text, size_t length, const char *origin, Peers *ret_peers, Error *error)
{
    if (memchr(text, '\0', length) != NULL || utf8_valid_prefix(text, length) != length)
        return error_set(error, ERROR_CONFIG, "%s: the file is not UTF-8 text", origin);
    char *copy = strndup(text, length);
    if (copy == NULL)
        return error_memory(error);
    Peers peers = {0};
    bool good = true;
    int64_t number = 0;
    for (char *line = copy, *next; good && line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        good = parse_line(line, origin, ++number, &peers, error);
    }
    free(copy);
    if (!good || !index_keys(&peers, origin, error)) {
        peers_clear(&peers);
        return false;
    }
    *ret_peers = peers;
    return true;
}

static bool check_integrity(int fd, const char *path, Error *error)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return error_set(error, ERROR_CONFIG, "cannot look at peers file \"%s\": %s", path, strerror(errno));
    bool trusted = (status.st_uid == geteuid() || status.st_uid == 0) && (status.st_mode & 022) == 0;
    if (trusted)
        return true;
    error_set(error, ERROR_CONFIG, "peers file \"%s\" can be changed by other users", path);
    error_set_detail(error, "owner %u, mode %04o", (unsigned)status.st_uid,
                     (unsigned)(status.st_mode & 07777));
    error_set_hint(error,
                   "chmod 644 the file, and let it belong to root or to the user that runs the program.");
    return false;
}

bool peers_read(const char *path, Peers *ret_peers, Error *error)
{
    FILE_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set(error, ERROR_CONFIG, "cannot read peers file \"%s\": %s", path, strerror(errno));
        error_set_hint(error, "`pgconvoy keygen` prints the line that the other side's file needs.");
        return false;
    }
    if (!check_integrity(fd, path, error))
        return false;
    BUFFER_CLEANUP Buffer text = {0};
    if (!file_read_all(fd, PEERS_FILE_MAX, &text))
        return error_set(error, ERROR_CONFIG, "cannot read peers file \"%s\": %s", path, strerror(errno));
    return peers_parse(buffer_text(&text), text.length, path, ret_peers, error);
}

void peers_clear(Peers *peers)
{
    for (size_t i = 0; i < peers->count; i++) {
        free(peers->items[i].name);
        free(peers->items[i].address);
    }
    free(peers->items);
    free(peers->by_key);
    *peers = (Peers){0};
}

static int compare_key(const void *key, const void *element)
{
    const KnownPeer *const *peer = element;
    return strcmp(key, (*peer)->public_key);
}

const KnownPeer *peers_find(const Peers *peers, PeerRole role, const char *public_key)
{
    KnownPeer **found = peers->count > 0 ? bsearch(public_key, peers->by_key, peers->count,
                                                   sizeof *peers->by_key, compare_key)
                                         : NULL;
    return found != NULL && (*found)->role == role ? *found : NULL;
}

/* KnownPeer number i of a role at an address, NULL meaning those without one. */
static const KnownPeer *at(const Peers *peers, PeerRole role, const char *address, size_t i)
{
    for (size_t k = 0; k < peers->count; k++) {
        const KnownPeer *peer = &peers->items[k];
        bool same = address == NULL ? peer->address == NULL
                                    : peer->address != NULL && strcmp(peer->address, address) == 0;
        if (peer->role == role && same && i-- == 0)
            return peer;
    }
    return NULL;
}

const KnownPeer *peers_at_address(const Peers *peers, PeerRole role, const char *address, size_t i)
{
    if (at(peers, role, address, 0) != NULL)
        return at(peers, role, address, i);
    const KnownPeer *only = at(peers, role, NULL, 0);
    for (size_t k = 1; only != NULL && at(peers, role, NULL, k) != NULL; k++)
        if (strcmp(at(peers, role, NULL, k)->name, only->name) != 0)
            return NULL;
    return at(peers, role, NULL, i);
}
