#include "tests/support/cluster.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 60000, LOWEST_PORT = 20000, PORT_SPAN = 12000 };

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(99);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The newest installed server's programs. */
static const char *server_folder(void)
{
    static char folder[64];
    for (int version = 18; folder[0] == '\0' && version >= 14; version--) {
        char path[64];
        snprintf(path, sizeof path, "/usr/lib/postgresql/%d/bin", version);
        char program[96];
        snprintf(program, sizeof program, "%s/postgres", path);
        if (access(program, X_OK) == 0)
            strcpy(folder, path);
    }
    if (folder[0] == '\0')
        die("no PostgreSQL 14 to 18 server is installed");
    return folder;
}

/* Starts argv as the unprivileged user with output to log; it dies with this program. */
static pid_t spawn(char *const argv[], const char *log)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    if (geteuid() == 0) {
        struct passwd *user = getpwnam("postgres");
        if (user == NULL || initgroups("postgres", user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
            setuid(user->pw_uid) != 0)
            _exit(98);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(98);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGQUIT, SIG_DFL); /* what ends the pooler; a shell's background job ignores it */
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    if (chdir("/tmp") != 0)
        _exit(98);
    execv(argv[0], argv);
    _exit(98);
}

static void run(char *const argv[], const char *log)
{
    int status;
    if (waitpid(spawn(argv, log), &status, 0) < 0 || status != 0)
        die("%s failed; see %s", argv[0], log);
}

static int free_port(void)
{
    for (int tries = 0; tries < 200; tries++) {
        static unsigned int step;
        int port = LOWEST_PORT + (int)(((unsigned int)getpid() * 37 + step++ * 101) % PORT_SPAN);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((unsigned short)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (bound == 0)
            return port;
    }
    die("no free loopback port");
}

/* Waits until a server answers on the port; false when it has ended. */
static bool becomes_ready(int port, pid_t pid, const char *log)
{
    char info[128];
    snprintf(info, sizeof info, "host=127.0.0.1 port=%d user=postgres dbname=postgres connect_timeout=2",
             port);
    for (int waited = 0; waited < DEADLINE_MS; waited += 20) {
        PGconn *connection = PQconnectdb(info);
        bool ready = PQstatus(connection) == CONNECTION_OK;
        PQfinish(connection);
        if (ready)
            return true;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return false;
        pause_ms(20);
    }
    die("no answer on port %d; see %s", port, log);
}

static void wait_ready(int port, pid_t pid, const char *log)
{
    if (!becomes_ready(port, pid, log))
        die("the server on port %d ended; see %s", port, log);
}

/* A server refuses to start while children of a killed one still hold its shared memory, so it is tried
 * again. */
static void start_server(Cluster *cluster)
{
    char program[96], data[96], log[96];
    snprintf(program, sizeof program, "%s/postgres", server_folder());
    snprintf(data, sizeof data, "%s/data", cluster->directory);
    snprintf(log, sizeof log, "%s/log", cluster->directory);
    for (int tries = 0; tries < 100; tries++) {
        cluster->server = spawn((char *[]){program, "-D", data, NULL}, log);
        if (becomes_ready(cluster->port, cluster->server, log))
            return;
        pause_ms(100);
    }
    die("the server on port %d does not start; see %s", cluster->port, log);
}

static void give_to_postgres(const char *path)
{
    struct passwd *user = getpwnam("postgres");
    if (geteuid() == 0 && (user == NULL || chown(path, user->pw_uid, user->pw_gid) != 0))
        die("cannot give %s to the postgres user", path);
}

Cluster *cluster_start(const char *extra_settings)
{
    Cluster *cluster = calloc(1, sizeof *cluster);
    strcpy(cluster->directory, "/tmp/pgconvoy-test-XXXXXX");
    if (cluster == NULL || mkdtemp(cluster->directory) == NULL)
        die("cannot make a folder below /tmp");
    give_to_postgres(cluster->directory);
    char program[96], data[96], log[96], path[128];
    snprintf(program, sizeof program, "%s/initdb", server_folder());
    snprintf(data, sizeof data, "%s/data", cluster->directory);
    snprintf(log, sizeof log, "%s/log", cluster->directory);
    run((char *[]){program, "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C",
                   NULL},
        log);
    cluster->port = free_port();
    snprintf(path, sizeof path, "%s/postgresql.conf", data);
    FILE *file = fopen(path, "a");
    if (file == NULL)
        die("cannot write %s", path);
    fprintf(file,
            "port = %d\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '%s'\nfsync = off\n%s\n",
            cluster->port, cluster->directory, extra_settings != NULL ? extra_settings : "");
    fclose(file);
    start_server(cluster);
    return cluster;
}

void cluster_start_bouncer(Cluster *cluster, int pool_size)
{
    char path[96];
    cluster->bouncer_port = free_port();
    snprintf(path, sizeof path, "%s/bouncer.ini", cluster->directory);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        die("cannot write %s", path);
    fprintf(file,
            "[databases]\n* = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            "listen_port = %d\nauth_type = any\nunix_socket_dir =\npool_mode = transaction\nmax_client_conn "
            "= 500\n"
            "default_pool_size = %d\n",
            cluster->port, cluster->bouncer_port, pool_size);
    fclose(file);
    chmod(path, 0644);
    cluster_start_bouncer_again(cluster);
}

void cluster_start_bouncer_again(Cluster *cluster)
{
    char path[96], log[96];
    snprintf(path, sizeof path, "%s/bouncer.ini", cluster->directory);
    snprintf(log, sizeof log, "%s/bouncer.log", cluster->directory);
    cluster->bouncer = spawn((char *[]){"/usr/sbin/pgbouncer", "-q", path, NULL}, log);
    wait_ready(cluster->bouncer_port, cluster->bouncer, log);
}

static void end_process(pid_t *pid, int signal_number)
{
    if (*pid > 0) {
        kill(*pid, signal_number);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

void cluster_kill(Cluster *cluster)
{
    /* The postmaster's children notice its death by themselves, a little later. */
    end_process(&cluster->server, SIGKILL);
}

void cluster_restart(Cluster *cluster)
{
    char path[96];
    snprintf(path, sizeof path, "%s/data/postmaster.pid", cluster->directory);
    end_process(&cluster->server, SIGQUIT);
    unlink(path);
    start_server(cluster);
}

void cluster_stop(Cluster *cluster)
{
    if (cluster == NULL)
        return;
    end_process(&cluster->bouncer, SIGQUIT);
    end_process(&cluster->server, SIGQUIT);
    remove_tree(cluster->directory);
    free(cluster);
}

static char *url_of(int port, const char *database)
{
    char *url;
    if (asprintf(&url, "postgresql://postgres@127.0.0.1:%d/%s", port, database) < 0)
        die("out of memory");
    return url;
}

char *cluster_url(const Cluster *cluster, const char *database)
{
    return url_of(cluster->port, database);
}

char *cluster_bouncer_url(const Cluster *cluster, const char *database)
{
    return url_of(cluster->bouncer_port, database);
}

static void ignore_notice(void *argument, const char *message)
{
    (void)argument;
    (void)message;
}

PGconn *cluster_connect(const Cluster *cluster, const char *database)
{
    char *url = cluster_url(cluster, database);
    PGconn *connection = PQconnectdb(url);
    free(url);
    if (PQstatus(connection) != CONNECTION_OK)
        die("%s", PQerrorMessage(connection));
    PQsetNoticeProcessor(connection, ignore_notice, NULL);
    return connection;
}

static PGresult *sql_result(PGconn *connection, const char *format, va_list args)
{
    char *sql;
    if (vasprintf(&sql, format, args) < 0)
        die("out of memory");
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die("%s\nin: %s", PQerrorMessage(connection), sql);
    free(sql);
    return result;
}

void sql_run(PGconn *connection, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PQclear(sql_result(connection, format, args));
    va_end(args);
}

static char *first_value(PGresult *result)
{
    char *text = strdup(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return text;
}

char *sql_text(PGconn *connection, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = first_value(sql_result(connection, format, args));
    va_end(args);
    return text;
}

long long sql_number(PGconn *connection, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = first_value(sql_result(connection, format, args));
    va_end(args);
    long long number = atoll(text);
    free(text);
    return number;
}

char *make_folder(void)
{
    char *folder = strdup("/tmp/pgconvoy-files-XXXXXX");
    if (folder == NULL || mkdtemp(folder) == NULL)
        die("cannot make a folder below /tmp");
    return folder;
}

void write_file(const char *folder, const char *name, const char *text)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        die("out of memory");
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        die("cannot write %s", path);
    free(path);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
