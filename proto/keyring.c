#include "proto/keyring.h"
#include "common/log.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REFUSALS_KEPT = 256, REFUSAL_TEXT = 160 };

struct Keyring {
    CurveKey own;
    PeerRole role;
    char *peers_file;
    pthread_mutex_t mutex; /* guards what follows */
    Peers peers;
    struct stat seen; /* the file as it was read last */
    /* Refusals that were logged; a stranger who tries for ever fills neither log nor memory. */
    char refused[REFUSALS_KEPT][REFUSAL_TEXT];
    size_t refused_count;
};

Keyring *keyring_new(const KeyringOptions *options, Error *error)
{
    Keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring == NULL || (keyring->peers_file = strdup(options->peers_file)) == NULL) {
        free(keyring);
        error_memory(error);
        return NULL;
    }
    pthread_mutex_init(&keyring->mutex, NULL);
    keyring->role = options->role;
    stat(options->peers_file, &keyring->seen);
    if (!curve_key_read(options->key_file, &keyring->own, error) ||
        !peers_read(options->peers_file, &keyring->peers, error)) {
        keyring_free(keyring);
        return NULL;
    }
    return keyring;
}

void keyring_free(Keyring *keyring)
{
    if (keyring == NULL)
        return;
    curve_key_wipe(&keyring->own);
    peers_clear(&keyring->peers);
    pthread_mutex_destroy(&keyring->mutex);
    free(keyring->peers_file);
    free(keyring);
}

const CurveKey *keyring_own(const Keyring *keyring)
{
    return &keyring->own;
}

PeerRole keyring_other_role(const Keyring *keyring)
{
    return keyring->role == PEER_COORDINATOR ? PEER_WORKER : PEER_COORDINATOR;
}

bool keyring_admits(Keyring *keyring, const char *public_key)
{
    pthread_mutex_lock(&keyring->mutex);
    bool admitted = peers_find(&keyring->peers, keyring_other_role(keyring), public_key) != NULL;
    pthread_mutex_unlock(&keyring->mutex);
    return admitted;
}

bool keyring_server_key(Keyring *keyring, const char *address, size_t i, char ret_key[CURVE_KEY_TEXT],
                        Error *error)
{
    PeerRole role = keyring_other_role(keyring);
    size_t count = 0;
    pthread_mutex_lock(&keyring->mutex);
    while (peers_at_address(&keyring->peers, role, address, count) != NULL)
        count++;
    if (count > 0)
        memcpy(ret_key, peers_at_address(&keyring->peers, role, address, i % count)->public_key,
               CURVE_KEY_TEXT);
    pthread_mutex_unlock(&keyring->mutex);
    if (count > 0)
        return true;
    error_set(error, ERROR_CONFIG, "peers file \"%s\" has no key for the %s at %s", keyring->peers_file,
              peer_role_name(role), address);
    error_set_hint(error, "add the line: %s NAME PUBLIC-KEY %s", peer_role_name(role), address);
    return false;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_mode == b->st_mode && a->st_uid == b->st_uid;
}

void keyring_reload(Keyring *keyring)
{
    ERROR_CLEANUP Error error = {0};
    Peers peers = {0};
    struct stat seen = {0};
    stat(keyring->peers_file, &seen); /* before reading: what is written meanwhile is read the next time */
    bool good = peers_read(keyring->peers_file, &peers, &error);
    pthread_mutex_lock(&keyring->mutex);
    keyring->seen = seen;
    if (good) {
        Peers old = keyring->peers;
        keyring->peers = peers;
        peers = old;
        keyring->refused_count = 0;
    }
    size_t count = keyring->peers.count;
    pthread_mutex_unlock(&keyring->mutex);
    peers_clear(&peers);
    if (good)
        log_message(LOG_INFO, "keys", "peers file read again: %zu lines", count);
    else {
        error_prefix(&error, "the peers as read before stay in force");
        log_error_value(LOG_ERROR, "keys", &error);
    }
}

void keyring_reload_changed(Keyring *keyring)
{
    struct stat now = {0};
    stat(keyring->peers_file, &now);
    pthread_mutex_lock(&keyring->mutex);
    bool changed = !same_file(&now, &keyring->seen);
    pthread_mutex_unlock(&keyring->mutex);
    if (changed)
        keyring_reload(keyring);
}

void keyring_log_refusal(Keyring *keyring, const char *public_key, const char *address, const char *why)
{
    char text[REFUSAL_TEXT];
    snprintf(text, sizeof text, "%s from %s", public_key, address);
    pthread_mutex_lock(&keyring->mutex);
    bool known = keyring->refused_count == REFUSALS_KEPT;
    for (size_t i = 0; !known && i < keyring->refused_count; i++)
        known = strcmp(keyring->refused[i], text) == 0;
    if (!known)
        memcpy(keyring->refused[keyring->refused_count++], text, sizeof text);
    bool last = !known && keyring->refused_count == REFUSALS_KEPT;
    pthread_mutex_unlock(&keyring->mutex);
    if (!known)
        log_message(LOG_WARNING, "keys", "refused key %s: %s%s", text, why,
                    last ? "; further refusals are not logged" : "");
}
