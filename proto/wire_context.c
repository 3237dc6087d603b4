#include "proto/wire_context.h"
#include "proto/zap.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

struct WireContext {
    void *zmq;
    Keyring *keyring;
    Zap *zap;
};

/* Sockets are few (a link each), but every one costs nothing until it is opened. */
enum { MAX_SOCKETS = 4096 };

static void *wait_for_mutex(void *mutex)
{
    pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    return NULL;
}

/* ZeroMQ aborts the process when it cannot have its two threads, which it starts with the first socket. So as
 * many, and one more for what they allocate, are tried before, and then it has to start its own. */
static bool can_have_threads(Error *error)
{
    enum { THREADS = 3 };
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS];
    int count = 0, status = 0;
    pthread_mutex_lock(&mutex);
    while (count < THREADS && (status = pthread_create(&threads[count], NULL, wait_for_mutex, &mutex)) == 0)
        count++;
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return status == 0 || error_set(error, ERROR_SYSTEM, "cannot start threads: %s", strerror(status));
}

static bool start_threads(void *zmq)
{
    void *socket = zmq_socket(zmq, ZMQ_PAIR);
    return socket != NULL && zmq_close(socket) == 0;
}

WireContext *wire_context_new(Error *error)
{
    if (!can_have_threads(error))
        return NULL;
    WireContext *context = calloc(1, sizeof *context);
    if (context == NULL) {
        error_memory(error);
        return NULL;
    }
    context->zmq = zmq_ctx_new();
    if (context->zmq == NULL || zmq_ctx_set(context->zmq, ZMQ_MAX_SOCKETS, MAX_SOCKETS) != 0 ||
        !start_threads(context->zmq)) {
        error_set(error, ERROR_SYSTEM, "cannot start ZeroMQ: %s", zmq_strerror(zmq_errno()));
        wire_context_free(context);
        return NULL;
    }
    return context;
}

void wire_context_free(WireContext *context)
{
    if (context == NULL)
        return;
    if (context->zap != NULL)
        zmq_ctx_shutdown(context->zmq);
    zap_join(context->zap);
    while (context->zmq != NULL && zmq_ctx_term(context->zmq) != 0 && zmq_errno() == EINTR)
        ;
    keyring_free(context->keyring);
    free(context);
}

bool wire_context_use_keys(WireContext *context, const KeyringOptions *options, Error *error)
{
    if ((context->keyring = keyring_new(options, error)) == NULL)
        return false;
    if ((context->zap = zap_start(context->zmq, context->keyring, error)) != NULL)
        return true;
    keyring_free(context->keyring);
    context->keyring = NULL;
    return false;
}

bool wire_context_configure_keys(WireContext *context, const Config *config, PeerRole role, Error *error)
{
    bool ours = role == PEER_COORDINATOR;
    SettingId key_id = ours ? SETTING_COORDINATOR_KEY_FILE : SETTING_WORKER_KEY_FILE;
    SettingId peers_id = ours ? SETTING_COORDINATOR_PEERS : SETTING_WORKER_PEERS;
    const char *key_file = config_text(config, key_id), *peers = config_text(config, peers_id);
    if (key_file[0] == '\0' && peers[0] == '\0')
        return true;
    if (key_file[0] != '\0' && peers[0] != '\0')
        return wire_context_use_keys(context, &(KeyringOptions){key_file, peers, role}, error);
    bool has_key = key_file[0] != '\0';
    error_set(error, ERROR_CONFIG, "%s is set without %s", setting_get(has_key ? key_id : peers_id)->path,
              setting_get(has_key ? peers_id : key_id)->path);
    error_set_hint(error,
                   "links with keys need both: the own key file (pgconvoy keygen) and the peers file.");
    return false;
}

void wire_context_reload_peers(WireContext *context)
{
    if (context->keyring != NULL)
        keyring_reload(context->keyring);
}

Keyring *wire_context_keyring(WireContext *context)
{
    return context->keyring;
}

void *wire_context_zmq(WireContext *context)
{
    return context->zmq;
}
