#include "tests/support/process.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 5, RUN_DEADLINE_MS = 240000 };

static void die(const char *what, const char *name)
{
    fprintf(stderr, "%s: %s\n", what, name);
    exit(99);
}

void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static char *temporary_file(void)
{
    char *path = strdup("/tmp/pgconvoy-out-XXXXXX");
    int fd = path != NULL ? mkstemp(path) : -1;
    if (fd < 0)
        die("cannot make a file below /tmp", strerror(errno));
    close(fd);
    return path;
}

static void redirect(const char *path, int to)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || dup2(fd, to) < 0)
        _exit(98);
}

static void become(const char *folder, const char *const environment[], const char *const words[],
                   const char *input_path, const Process *process, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || (folder != NULL && chdir(folder) != 0))
        _exit(98);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL); /* a shell's background job ignores both */
    signal(SIGQUIT, SIG_DFL);
    int input = open(input_path, O_RDONLY | O_CLOEXEC);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0)
        _exit(98);
    redirect(process->out_path, STDOUT_FILENO);
    redirect(process->err_path, STDERR_FILENO);
    char state[512]; /* journals of runs under test are not the user's */
    snprintf(state, sizeof state, "%s/state", folder != NULL ? folder : "/proc/nowhere");
    setenv("XDG_STATE_HOME", state, 1);
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
        putenv((char *)environment[i]);
    char path[512];
    snprintf(path, sizeof path, "%s%s", words[0][0] == '/' ? "" : PGCONVOY_BIN_DIR "/", words[0]);
    execv(path, (char *const *)words);
    _exit(98);
}

Process *process_start_with_input(const char *folder, const char *const environment[],
                                  const char *const words[], const char *input_path)
{
    Process *process = calloc(1, sizeof *process);
    if (process == NULL)
        die("out of memory", words[0]);
    process->out_path = temporary_file();
    process->err_path = temporary_file();
    pid_t parent = getpid();
    process->pid = fork();
    if (process->pid < 0)
        die("fork", strerror(errno));
    if (process->pid == 0)
        become(folder, environment, words, input_path, process, parent);
    return process;
}

Process *process_start(const char *folder, const char *const environment[], const char *const words[])
{
    return process_start_with_input(folder, environment, words, "/dev/null");
}

bool process_ended(Process *process)
{
    int status;
    if (process->pid == 0)
        return true;
    if (waitpid(process->pid, &status, WNOHANG) != process->pid)
        return false;
    process->pid = 0;
    process->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

static bool has_ended(void *process)
{
    return process_ended(process);
}

void await(bool (*condition)(void *context), void *context, int deadline_ms, const char *what)
{
    for (int waited = 0; !condition(context); waited += LOOK_MS) {
        if (waited > deadline_ms)
            die("waited in vain for", what);
        sleep_ms(LOOK_MS);
    }
}

int process_wait(Process *process, int deadline_ms)
{
    await(has_ended, process, deadline_ms, "the end of a program");
    return process->status;
}

void process_signal(Process *process, int signal_number)
{
    if (process->pid > 0)
        kill(process->pid, signal_number);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    struct stat info;
    if (file == NULL || fstat(fileno(file), &info) != 0)
        die("cannot read", path);
    char *text = calloc(1, (size_t)info.st_size + 1);
    if (text == NULL || fread(text, 1, (size_t)info.st_size, file) != (size_t)info.st_size)
        die("cannot read", path);
    fclose(file);
    return text;
}

char *process_out(const Process *process)
{
    return read_file(process->out_path);
}

char *process_err(const Process *process)
{
    return read_file(process->err_path);
}

typedef struct Awaited {
    Process *process;
    const char *text;
} Awaited;

static bool has_text(void *awaited_pointer)
{
    Awaited *awaited = awaited_pointer;
    char *out = process_out(awaited->process), *err = process_err(awaited->process);
    bool found = strstr(out, awaited->text) != NULL || strstr(err, awaited->text) != NULL;
    if (!found && process_ended(awaited->process))
        die("the program ended before it said the text; stderr", err);
    free(out);
    free(err);
    return found;
}

void process_await_text(Process *process, const char *text, int deadline_ms)
{
    await(has_text, &(Awaited){process, text}, deadline_ms, text);
}

void process_free(Process *process)
{
    if (process == NULL)
        return;
    if (!process_ended(process)) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    unlink(process->out_path);
    unlink(process->err_path);
    free(process->out_path);
    free(process->err_path);
    free(process);
}

int process_run(const char *folder, const char *const environment[], const char *const words[],
                char **ret_out, char **ret_err)
{
    Process *process = process_start(folder, environment, words);
    int status = process_wait(process, RUN_DEADLINE_MS);
    if (ret_out != NULL)
        *ret_out = process_out(process);
    if (ret_err != NULL)
        *ret_err = process_err(process);
    process_free(process);
    return status;
}
