#include "proto/zap.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { LOOK_INTERVAL_MS = 1000, PARTS = 7, RAW_KEY = 32 };

static const char ENDPOINT[] = "inproc://zeromq.zap.01";
const char ZAP_DOMAIN[] = "pgconvoy";

/* The parts of a request, in order. */
enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, ROUTING_ID, MECHANISM, CREDENTIALS };

struct Zap {
    void *socket;
    Keyring *keyring;
    pthread_t thread;
};

static bool part_is(zmq_msg_t *part, const char *text)
{
    return zmq_msg_size(part) == strlen(text) && memcmp(zmq_msg_data(part), text, strlen(text)) == 0;
}

/* The parts that a request has; those beyond PARTS are read and forgotten. 0 when there is nothing. */
static size_t receive(void *socket, zmq_msg_t parts[PARTS])
{
    size_t count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t surplus;
        zmq_msg_t *part = count < PARTS ? &parts[count] : &surplus;
        zmq_msg_init(part);
        if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(part);
            return count;
        }
        more = zmq_msg_more(part);
        if (part == &surplus)
            zmq_msg_close(&surplus);
        count++;
    }
    return count;
}

/* Why it is refused, or NULL; the key as text, as far as there is one. */
static const char *judge(Zap *zap, zmq_msg_t parts[PARTS], size_t count, char ret_key[CURVE_KEY_TEXT])
{
    strcpy(ret_key, "(none)");
    if (count != PARTS || !part_is(&parts[VERSION], "1.0") || !part_is(&parts[DOMAIN], ZAP_DOMAIN))
        return "the request is of no known form";
    if (!part_is(&parts[MECHANISM], "CURVE") || zmq_msg_size(&parts[CREDENTIALS]) != RAW_KEY)
        return "it does not use CURVE";
    zmq_z85_encode(ret_key, zmq_msg_data(&parts[CREDENTIALS]), RAW_KEY);
    return keyring_admits(zap->keyring, ret_key) ? NULL : "the peers file does not know it";
}

static void send_text(void *socket, const char *text, int more)
{
    zmq_send(socket, text, strlen(text), more);
}

static void answer(Zap *zap, zmq_msg_t parts[PARTS], size_t count)
{
    char key[CURVE_KEY_TEXT], address[64] = "?";
    const char *refusal = judge(zap, parts, count, key);
    if (count > ADDRESS)
        snprintf(address, sizeof address, "%.*s", (int)zmq_msg_size(&parts[ADDRESS]),
                 (const char *)zmq_msg_data(&parts[ADDRESS]));
    if (refusal != NULL)
        keyring_log_refusal(zap->keyring, key, address, refusal);
    send_text(zap->socket, "1.0", ZMQ_SNDMORE);
    zmq_send(zap->socket, count > REQUEST_ID ? zmq_msg_data(&parts[REQUEST_ID]) : "",
             count > REQUEST_ID ? zmq_msg_size(&parts[REQUEST_ID]) : 0, ZMQ_SNDMORE);
    send_text(zap->socket, refusal == NULL ? "200" : "400", ZMQ_SNDMORE);
    send_text(zap->socket, refusal == NULL ? "OK" : "refused", ZMQ_SNDMORE);
    send_text(zap->socket, refusal == NULL ? key : "", ZMQ_SNDMORE);
    send_text(zap->socket, "", 0);
}

static void *zap_main(void *zap_pointer)
{
    Zap *zap = zap_pointer;
    zmq_pollitem_t item = {.socket = zap->socket, .events = ZMQ_POLLIN};
    while (zmq_poll(&item, 1, LOOK_INTERVAL_MS) >= 0 || zmq_errno() == EINTR) {
        zmq_msg_t parts[PARTS];
        size_t count = receive(zap->socket, parts);
        if (count > 0)
            answer(zap, parts, count);
        for (size_t i = 0; i < count && i < PARTS; i++)
            zmq_msg_close(&parts[i]);
        keyring_reload_changed(zap->keyring);
    }
    zmq_close(zap->socket);
    return NULL;
}

Zap *zap_start(void *zmq, Keyring *keyring, Error *error)
{
    Zap *zap = calloc(1, sizeof *zap);
    if (zap == NULL) {
        error_memory(error);
        return NULL;
    }
    zap->keyring = keyring;
    int linger = 0;
    zap->socket = zmq_socket(zmq, ZMQ_REP);
    if (zap->socket == NULL || zmq_setsockopt(zap->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(zap->socket, ENDPOINT) != 0) {
        error_set(error, ERROR_SYSTEM, "cannot answer for keys: %s", zmq_strerror(zmq_errno()));
        goto failed;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&zap->thread, NULL, zap_main, zap);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0)
        return zap;
    error_set(error, ERROR_SYSTEM, "cannot start a thread: %s", strerror(failure));
failed:
    if (zap->socket != NULL)
        zmq_close(zap->socket);
    free(zap);
    return NULL;
}

void zap_join(Zap *zap)
{
    if (zap == NULL)
        return;
    pthread_join(zap->thread, NULL);
    free(zap);
}
