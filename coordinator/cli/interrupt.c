#include "coordinator/cli/interrupt.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

bool interrupts_open(Interrupts *interrupts, Error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    interrupts->count = 0;
    interrupts->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return interrupts->fd >= 0 ||
           error_set(error, ERROR_SYSTEM, "cannot open a signalfd: %s", strerror(errno));
}

void interrupts_close(Interrupts *interrupts)
{
    if (interrupts->fd >= 0)
        close(interrupts->fd);
    interrupts->fd = -1;
}

Request interrupts_poll(Interrupts *interrupts, bool *ret_new)
{
    struct signalfd_siginfo info;
    *ret_new = false;
    while (read(interrupts->fd, &info, sizeof info) == sizeof info) {
        interrupts->count++;
        *ret_new = true;
    }
    return interrupts->count == 0 ? REQUEST_NONE : interrupts->count == 1 ? REQUEST_ABORT : REQUEST_CANCEL;
}
