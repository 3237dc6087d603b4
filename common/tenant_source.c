#include "common/buffer.h"
#include "common/file.h"
#include "common/tenant.h"
#include "common/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far above any list, so that a wrong file or an endless command ends in a message. */
static const size_t LIST_MAX = (size_t)1 << 30;

/* A copy of [text, end), so that C functions can look at it. */
static char *part_copy(const char *text, const char *end, Error *error)
{
    char *copy = strndup(text, (size_t)(end - text));
    if (copy == NULL)
        error_memory(error);
    return copy;
}

/* One line without its end, as a NUL-terminated text: "id" or "db<TAB>id". */
static bool add_line(TenantList *list, char *line, Error *error)
{
    if (line[0] == '#' || line[strspn(line, " \t")] == '\0')
        return true;
    char *tab = strchr(line, '\t');
    if (tab == NULL)
        return tenant_list_add(list, "", line, error);
    *tab = '\0';
    if (line[0] == '\0')
        return error_set(error, ERROR_TENANTS, "database name before the tab is empty");
    if (!utf8_valid_text(line) || utf8_has_control(line)) {
        char shown[UTF8_SHOWN_SIZE];
        return error_set(error, ERROR_TENANTS, "database name %s is not plain UTF-8 text",
                         utf8_show(line, shown));
    }
    return tenant_list_add(list, line, tab + 1, error);
}

static bool add_lines(TenantList *list, const char *bytes, size_t length, const char *origin, Error *error)
{
    const char *end = bytes + length;
    if (length >= strlen(UTF8_BOM) && memcmp(bytes, UTF8_BOM, strlen(UTF8_BOM)) == 0)
        bytes += strlen(UTF8_BOM);
    for (size_t number = 1; bytes < end; number++) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *line_end = newline != NULL ? newline : end;
        const char *next = newline != NULL ? newline + 1 : end;
        if (line_end > bytes && line_end[-1] == '\r')
            line_end--;
        if (memchr(bytes, '\0', (size_t)(line_end - bytes)) != NULL)
            return error_set(error, ERROR_TENANTS, "%s:%zu: the line holds a NUL byte", origin, number);
        char *line = part_copy(bytes, line_end, error);
        if (line == NULL)
            return false;
        bool added = add_line(list, line, error);
        free(line);
        if (!added) {
            if (error->code == ERROR_TENANTS)
                error_prefix(error, "%s:%zu", origin, number);
            return false;
        }
        bytes = next;
    }
    return true;
}

bool tenant_list_read_bytes(TenantList *list, const char *bytes, size_t length, const char *origin,
                            Error *error)
{
    size_t before = list->count;
    if (length == 0 || add_lines(list, bytes, length, origin, error))
        return true;
    tenant_list_truncate(list, before);
    return false;
}

/* Reads and parses everything that fd gives. */
static bool read_list(int fd, const char *origin, Buffer *content, Error *error)
{
    if (file_read_all(fd, LIST_MAX, content))
        return true;
    return error_set(error, ERROR_TENANTS, "tenant list cannot be read: %s: %s", origin, strerror(errno));
}

bool tenant_list_read_file(TenantList *list, const char *path, Error *error)
{
    bool from_stdin = strcmp(path, "-") == 0;
    const char *origin = from_stdin ? "standard input" : path;
    FILE_CLEANUP int fd = -1;
    if (!from_stdin && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        int reason = errno;
        if (reason != ENOENT)
            return error_set(error, ERROR_TENANTS, "tenant list cannot be read: %s: %s", path,
                             strerror(reason));
        error_set(error, ERROR_TENANTS, "tenant list not found: %s", path);
        error_set_hint(error, "give the path of a file with one tenant id a line, or - for standard input");
        return false;
    }
    BUFFER_CLEANUP Buffer content = {0};
    return read_list(from_stdin ? STDIN_FILENO : fd, origin, &content, error) &&
           tenant_list_read_bytes(list, buffer_text(&content), content.length, origin, error);
}

/* Starts the command with its stdout in the pipe. Threads of the library block all signals and a program may
 * ignore some; the command shall know nothing of either. Returns an errno value. */
static int spawn_command(char *const argv[], int output, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return failed;
    }
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failed == 0)
        failed = posix_spawnp(ret_pid, argv[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static bool command_failed_to_start(const char *name, int reason, Error *error)
{
    error_set(error, ERROR_TENANTS, "tenant command \"%s\" could not be started: %s", name, strerror(reason));
    if (reason == ENOENT)
        error_set_hint(error, "give the program's path, or a name that is found in PATH");
    return false;
}

/* Waits for the command and takes nothing but a plain success. */
static bool command_succeeded(const char *name, pid_t pid, Error *error)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_set(error, ERROR_TENANTS, "how tenant command \"%s\" ended is not known: %s", name,
                             strerror(errno));
    if (WIFSIGNALED(status))
        return error_set(error, ERROR_TENANTS, "tenant command \"%s\" was ended by signal %d (%s)", name,
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return error_set(error, ERROR_TENANTS, "tenant command \"%s\" ended with exit status %d", name,
                         WEXITSTATUS(status));
    return true;
}

bool tenant_list_read_command(TenantList *list, char *const argv[], Error *error)
{
    if (argv == NULL || argv[0] == NULL || argv[0][0] == '\0')
        return error_set(error, ERROR_TENANTS, "the tenant command is empty");
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return command_failed_to_start(argv[0], errno, error);
    pid_t pid;
    int failed = spawn_command(argv, ends[1], &pid);
    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        return command_failed_to_start(argv[0], failed, error);
    }
    BUFFER_CLEANUP Buffer content = {0};
    bool read = read_list(ends[0], argv[0], &content, error);
    close(ends[0]); /* a command that still writes ends by SIGPIPE instead of holding up the wait */
    ERROR_CLEANUP Error ending = {0};
    bool succeeded = command_succeeded(argv[0], pid, &ending);
    if (read && !succeeded)
        error_move(error, &ending);
    return read && succeeded &&
           tenant_list_read_bytes(list, buffer_text(&content), content.length, argv[0], error);
}

static bool known_database(const TextList *databases, const char *name)
{
    for (size_t i = 0; databases != NULL && i < databases->count; i++)
        if (strcmp(databases->items[i], name) == 0)
            return true;
    return false;
}

bool tenant_list_add_named(TenantList *list, const char *text, const TextList *databases, Error *error)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL)
        return tenant_list_add(list, "", text, error);
    char *database = part_copy(text, slash, error);
    if (database == NULL)
        return false;
    bool known = known_database(databases, database); /* an id may hold slashes itself */
    bool added = tenant_list_add(list, known ? database : "", known ? slash + 1 : text, error);
    free(database);
    return added;
}

static bool add_part(TenantList *list, const char *part, const char *end, const TextList *databases,
                     Error *error)
{
    part += strspn(part, " ");
    while (end > part && end[-1] == ' ')
        end--;
    char *text = part_copy(part, end, error);
    bool added = text != NULL && tenant_list_add_named(list, text, databases, error);
    free(text);
    return added;
}

bool tenant_list_parse(TenantList *list, const char *text, const TextList *databases, Error *error)
{
    size_t before = list->count;
    for (size_t number = 1;; number++) {
        const char *end = strchrnul(text, ',');
        if (!add_part(list, text, end, databases, error)) {
            if (error->code == ERROR_TENANTS)
                error_prefix(error, "part %zu of the tenant list", number);
            tenant_list_truncate(list, before);
            return false;
        }
        if (*end == '\0')
            return true;
        text = end + 1;
    }
}
