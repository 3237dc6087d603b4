#include "worker/hook_program.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"
#include "worker/hook_output.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOOK_MS = 50, /* how soon a cancellation is noticed */
    LOOK_READS = 16,
    DRAIN_READS = 64,     /* of what is left in a pipe: what runs on in the background may write for ever */
    FIRST_DESCRIPTOR = 3, /* below are stdin, stdout, stderr */
};

typedef enum Ending { ENDED_ITSELF, ENDED_LATE, ENDED_CANCELLED } Ending;

/* One program that runs. */
typedef struct Running {
    const HookProgram *program;
    pid_t pid;
    int pidfd;       /* -1 where the kernel has none: then only the clock makes us look */
    int out, errors; /* our ends of its stdout (-1 = nobody listens) and stderr */
    HookTail said, complained;
    int64_t end_ms, kill_ms; /* when it gets SIGTERM, SIGKILL */
    bool hurried;            /* the run is cancelled, and end_ms knows */
    Ending ending;
} Running;

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* A copy that cannot be taken for one of the standard three, which a host may have closed. */
static bool lift(int *descriptor)
{
    if (*descriptor >= FIRST_DESCRIPTOR)
        return true;
    int lifted = fcntl(*descriptor, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
    if (lifted < 0)
        return false;
    close(*descriptor);
    *descriptor = lifted;
    return true;
}

/* Ours does not block; the program's does, as programs expect. */
static bool open_pipe(int *ret_ours, int *ret_its)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    bool good = lift(&ends[0]) && lift(&ends[1]) && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
    int reason = errno;
    *ret_ours = ends[0];
    *ret_its = ends[1];
    if (!good) {
        close_descriptor(ret_ours);
        close_descriptor(ret_its);
        errno = reason;
    }
    return good;
}

static int add_actions(posix_spawn_file_actions_t *actions, int input, int output, int errors)
{
    int failed = input >= 0
                     ? posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO)
                     : posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = output >= 0
                     ? posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO)
                     : posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(actions, errors, STDERR_FILENO);
    return failed != 0 ? failed : posix_spawn_file_actions_addclosefrom_np(actions, FIRST_DESCRIPTOR);
}

/* Slots block all signals, and a host may ignore some; the program shall know nothing of either. */
static void set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* Returns an errno value. */
static int spawn(const HookProgram *program, int input, int output, int errors, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed == 0) {
        set_attributes(&attributes);
        failed = add_actions(&actions, input, output, errors);
        if (failed == 0)
            failed = posix_spawnp(ret_pid, program->argv[0], &actions, &attributes, program->argv,
                                  program->environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static bool start(Running *running, Error *error)
{
    const HookProgram *program = running->program;
    int output = -1, errors = -1;
    int failed = 0;
    if ((log_enabled(LOG_DEBUG) && !open_pipe(&running->out, &output)) ||
        !open_pipe(&running->errors, &errors))
        failed = errno;
    if (failed == 0)
        failed = spawn(program, program->input, output, errors, &running->pid);
    close_descriptor(&output);
    close_descriptor(&errors);
    if (failed != 0)
        return error_set(error, ERROR_CALLBACK, "hook %s could not be started: %s", program->hook,
                         strerror(failed));
    running->pidfd = pidfd_open(running->pid, 0);
    return true;
}

/* Takes what is there; closes the pipe at its end. */
static void read_some(int *descriptor, HookTail *tail, int reads)
{
    char bytes[4096];
    for (; *descriptor >= 0 && reads > 0; reads--) {
        ssize_t length = read(*descriptor, bytes, sizeof bytes);
        if (length > 0)
            hook_tail_add(tail, bytes, (size_t)length);
        else if (length == 0 || (errno != EAGAIN && errno != EINTR))
            close_descriptor(descriptor);
        else if (errno == EAGAIN)
            return;
    }
}

/* The program is not reaped by looking: until then its number, and so its group's, is nobody else's. */
static bool has_ended(const Running *running, bool *ret_lost)
{
    siginfo_t info = {0};
    int failed;
    do
        failed = waitid(P_PID, (id_t)running->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    while (failed != 0 && errno == EINTR);
    *ret_lost = failed != 0;
    return failed != 0 || info.si_pid == running->pid;
}

static void end(Running *running, Ending ending, int64_t now_ms)
{
    running->ending = ending;
    running->kill_ms = now_ms + HOOK_GRACE_MS;
    kill(-running->pid, SIGTERM);
}

/* In a cancelled run a program that cleans up has a little time left, any other none. */
static void check_time(Running *running, int64_t now_ms)
{
    const HookProgram *program = running->program;
    if (!running->hurried && program->cancelled != NULL && atomic_load(program->cancelled)) {
        int64_t last_ms = now_ms + (program->cleans_up ? HOOK_GRACE_MS : 0);
        running->end_ms = last_ms < running->end_ms ? last_ms : running->end_ms;
        running->hurried = true;
    }
    if (running->ending == ENDED_ITSELF && now_ms >= running->end_ms)
        end(running, running->hurried ? ENDED_CANCELLED : ENDED_LATE, now_ms);
    if (now_ms >= running->kill_ms) {
        kill(-running->pid, SIGKILL);
        running->kill_ms = INT64_MAX;
    }
}

static void watch(Running *running, bool *ret_lost)
{
    while (!has_ended(running, ret_lost)) {
        check_time(running, clock_now_ms(&SYSTEM_CLOCK));
        struct pollfd items[] = {{.fd = running->pidfd, .events = POLLIN},
                                 {.fd = running->out, .events = POLLIN},
                                 {.fd = running->errors, .events = POLLIN}};
        poll(items, 3, LOOK_MS);
        read_some(&running->out, &running->said, LOOK_READS);
        read_some(&running->errors, &running->complained, LOOK_READS);
    }
    read_some(&running->out, &running->said, DRAIN_READS);
    read_some(&running->errors, &running->complained, DRAIN_READS);
}

/* Whoever has to be ended takes what it started along. Returns the wait status. */
static int reap(Running *running)
{
    int status = 0;
    if (running->ending != ENDED_ITSELF)
        kill(-running->pid, SIGKILL);
    while (waitpid(running->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static bool add_words(Error *error, const char *text)
{
    if (text[0] == '\0')
        return false;
    char *message = error->message;
    error->message = NULL;
    error_set(error, error->code, "%s: %s", message != NULL ? message : "", hook_last_line(text));
    free(message);
    if (strchr(text, '\n') != NULL)
        error_set_detail(error, "%s", text);
    return false;
}

bool hook_program_judge(const char *hook, int status, const char *text, Error *error)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        error_set(error, ERROR_CALLBACK, "hook %s was ended by signal %d (%s)", hook, WTERMSIG(status),
                  strsignal(WTERMSIG(status)));
    else
        error_set(error, ERROR_CALLBACK, "hook %s ended with exit status %d", hook, WEXITSTATUS(status));
    return add_words(error, text);
}

static bool judge(const Running *running, int status, bool lost, const char *text, Error *error)
{
    const HookProgram *program = running->program;
    if (lost) {
        error_set(error, ERROR_CALLBACK, "how hook %s ended is not known", program->hook);
        error_set_hint(error, "the process ignores SIGCHLD, or waits for children that it did not start");
        return false;
    }
    if (running->ending == ENDED_ITSELF)
        return hook_program_judge(program->hook, status, text, error);
    if (running->ending == ENDED_CANCELLED) {
        error_set(error, ERROR_CANCELLED, "hook %s was ended because the run was cancelled", program->hook);
        return add_words(error, text);
    }
    error_set(error, ERROR_CALLBACK, "hook %s was ended after %lld ms", program->hook,
              (long long)program->timeout_ms);
    add_words(error, text);
    error_set_hint(error, "raise hooks.timeout_ms, or see why it takes so long");
    return false;
}

static void log_output(const Running *running)
{
    char *text = hook_tail_text(&running->said);
    if (text != NULL && text[0] != '\0')
        log_message(LOG_DEBUG, running->program->log_context, "hook %s: %s", running->program->hook, text);
    free(text);
}

bool hook_program_run(const HookProgram *program, Error *error)
{
    bool cancelled = program->cancelled != NULL && atomic_load(program->cancelled);
    if (cancelled && !program->cleans_up)
        return error_set(error, ERROR_CANCELLED, "cancelled before hook %s began", program->hook);
    Running running = {.program = program, .pidfd = -1, .out = -1, .errors = -1, .kill_ms = INT64_MAX};
    running.end_ms = clock_now_ms(&SYSTEM_CLOCK) + program->timeout_ms;
    bool lost = false;
    bool good = start(&running, error);
    if (good) {
        watch(&running, &lost);
        int status = lost ? 0 : reap(&running);
        char *text = hook_tail_text(&running.complained);
        good = judge(&running, status, lost, text != NULL ? text : "", error);
        free(text);
        log_output(&running);
    }
    close_descriptor(&running.pidfd);
    close_descriptor(&running.out);
    close_descriptor(&running.errors);
    return good;
}

/* Returns an errno value. */
static int check_file(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return errno;
    if (!S_ISREG(info.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* As posix_spawnp() looks: an errno value. */
static int find_program(const char *name)
{
    if (strchr(name, '/') != NULL)
        return check_file(name);
    const char *folders = getenv("PATH");
    folders = folders != NULL ? folders : "/bin:/usr/bin";
    int reason = ENOENT;
    for (;;) {
        size_t length = strcspn(folders, ":");
        BUFFER_CLEANUP Buffer path = {0};
        buffer_append(&path, folders, length);
        buffer_append_text(&path, length > 0 ? "/" : "./");
        buffer_append_text(&path, name);
        int failed = buffer_failed(&path) ? ENOMEM : check_file(buffer_text(&path));
        if (failed == 0)
            return 0;
        reason = failed == EACCES ? EACCES : reason;
        if (folders[length] == '\0')
            return reason;
        folders += length + 1;
    }
}

bool hook_program_check(const char *name, Error *error)
{
    char shown[UTF8_SHOWN_SIZE];
    int reason = name[0] != '\0' ? find_program(name) : ENOENT;
    if (reason == 0)
        return true;
    error_set(error, ERROR_CONFIG, "the program %s cannot be run: %s", utf8_show(name, shown),
              strerror(reason));
    error_set_hint(error, strchr(name, '/') != NULL ? "give the path of an executable file"
                                                    : "give the program's path, or a name found in PATH");
    return false;
}
