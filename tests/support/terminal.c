#include "tests/support/terminal.h"
#include "common/buffer.h"
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SILENCE_MS = 20000 };

static void become(const char *folder, const char *const words[])
{
    char path[512];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(path, sizeof path, "%s/%s", PGCONVOY_BIN_DIR, words[0]);
    if (chdir(folder) == 0)
        execv(path, (char *const *)words);
    _exit(98);
}

static void type(int terminal, const char *text)
{
    if (write(terminal, text, strlen(text)) == (ssize_t)strlen(text))
        return;
    fprintf(stderr, "cannot type on a terminal: %s\n", strerror(errno));
    exit(99);
}

/* Reads until the program's end closes the terminal. */
static void attend(int terminal, pid_t pid, const char *prompt, const char *answer, Buffer *screen)
{
    char bytes[512];
    bool typed = false;
    for (;;) {
        struct pollfd ready = {.fd = terminal, .events = POLLIN};
        if (poll(&ready, 1, SILENCE_MS) <= 0)
            kill(pid, SIGKILL);
        ssize_t count = read(terminal, bytes, sizeof bytes);
        if (count <= 0)
            return;
        buffer_append(screen, bytes, (size_t)count);
        if (typed || strstr(buffer_text(screen), prompt) == NULL)
            continue;
        typed = true;
        type(terminal, answer);
    }
}

int terminal_run(const char *folder, const char *const words[], const char *prompt, const char *answer,
                 char **ret_screen)
{
    int terminal, status = 0;
    Buffer screen = {0};
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    if (pid == 0)
        become(folder, words);
    if (pid < 0) {
        fprintf(stderr, "forkpty: %s\n", strerror(errno));
        exit(99);
    }
    attend(terminal, pid, prompt, answer, &screen);
    close(terminal);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    buffer_append_text(&screen, "");
    *ret_screen = buffer_take(&screen);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
