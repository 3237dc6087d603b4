/* pgconvoy-worker: a worker in a process of its own. SIGTERM or SIGINT drains it, a second one
 * cancels; SIGHUP reads the peers file again. */
#include "common/log.h"
#include "common/secret.h"
#include "worker/worker.h"
#include "worker/worker_options.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void configure_log(const Config *config)
{
    static const char *const LEVELS[] = {"error", "warning", "info", "debug"};
    const char *level = config_text(config, SETTING_LOG_LEVEL);
    LogLevel chosen = LOG_INFO;
    for (int i = 0; i <= LOG_DEBUG; i++)
        if (strcmp(level, LEVELS[i]) == 0)
            chosen = (LogLevel)i;
    log_configure(chosen, strcmp(config_text(config, SETTING_LOG_FORMAT), "json") == 0);
}

static bool check(const Config *config, Error *error)
{
    size_t databases = 0;
    const DatabaseConfig *database = config_databases(config, &databases);
    if (databases == 0) {
        error_set(error, ERROR_CONFIG, "no database is configured");
        error_set_hint(error, "set DATABASE_URL, or `databases` in pgconvoy.yaml");
        return false;
    }
    for (size_t i = 0; i < databases; i++)
        if (database[i].url == NULL) {
            error_set(error, ERROR_CONFIG, "database \"%s\" has no url", database[i].name);
            error_set_hint(
                error, "a worker needs `url`, `service` or host, port, dbname and user of every database");
            return false;
        }
    if (config_coordinators(config)->count > 0 || config_text(config, SETTING_WORKER_LISTEN)[0] != '\0')
        return true;
    error_set(error, ERROR_CONFIG, "this worker knows no coordinator");
    error_set_hint(error, "name one with --coordinator ENDPOINT, or wait for them with --listen ENDPOINT");
    return false;
}

/* Serves until it is told to stop and has drained. */
static void serve(Worker *worker, WireContext *context, int signals)
{
    struct pollfd items[] = {{.fd = signals, .events = POLLIN},
                             {.fd = worker_done_fd(worker), .events = POLLIN}};
    bool draining = false;
    while (items[1].revents == 0) {
        if (poll(items, 2, -1) < 0 && errno != EINTR)
            return;
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) != sizeof info)
            continue;
        if (info.ssi_signo == SIGHUP) {
            wire_context_reload_peers(context);
            continue;
        }
        log_message(LOG_INFO, "worker",
                    draining ? "cancelling what still runs"
                             : "draining: nothing new starts; once more cancels what runs");
        worker_drain(worker, draining);
        draining = true;
    }
}

static bool run(const Config *config, int signals, Error *error)
{
    const char *listen = config_text(config, SETTING_WORKER_LISTEN);
    const TextList *coordinators = config_coordinators(config);
    WireContext *context = wire_context_new(error);
    bool ready = context != NULL && wire_context_configure_keys(context, config, PEER_WORKER, error);
    Worker *worker =
        !ready ? NULL
               : worker_start(&(WorkerOptions){.config = config,
                                               .context = context,
                                               .slots = config_int(config, SETTING_WORKER_SLOTS),
                                               .coordinators = (const char *const *)coordinators->items,
                                               .coordinator_count = coordinators->count,
                                               .listen = listen[0] != '\0' ? listen : NULL,
                                               .plain = config_bool(config, SETTING_WORKER_PLAIN)},
                              error);
    if (worker != NULL) {
        log_message(LOG_INFO, "worker", "ready with %lld slots%s%s",
                    (long long)config_int(config, SETTING_WORKER_SLOTS),
                    worker_endpoint(worker) != NULL ? ", listening on " : "",
                    worker_endpoint(worker) != NULL ? worker_endpoint(worker) : "");
        serve(worker, context, signals);
    }
    bool ok = worker != NULL && (!worker_failed(worker) ||
                                 error_set(error, ERROR_SYSTEM, "the worker broke off; its log says why"));
    worker_free(worker);
    wire_context_free(context);
    return ok;
}

int main(int argc, char **argv)
{
    ERROR_CLEANUP Error error = {0};
    secret_leave_no_core();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    CliArguments *arguments = worker_options_parse(argc, argv, &error);
    bool ok = arguments != NULL;
    if (ok && signals < 0)
        ok = error_set(&error, ERROR_SYSTEM, "cannot open a signalfd: %s", strerror(errno));
    if (ok && arguments->answer != NULL)
        fputs(arguments->answer, stdout);
    else if (ok) {
        configure_log(arguments->config);
        ok = check(arguments->config, &error) && run(arguments->config, signals, &error);
    }
    if (!ok) {
        char *text = error_format(&error);
        fputs(text != NULL ? text : "error: out of memory\n", stderr);
        free(text);
    }
    cli_arguments_free(arguments);
    close(signals);
    return ok ? EXIT_DONE : error_class(error.code)->exit_code;
}
