/* A throwaway PostgreSQL for one test program: its own data directory, unix socket and loopback port.
 *
 * PostgreSQL refuses root, so a root caller's server runs as the `postgres` user. The server dies with the
 * test program, however that ends (parent-death signal), and the data directory is removed by cluster_stop().
 * Failures end the test program with a message: there is nothing to test without a server.
 */
#pragma once
#include <libpq-fe.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct Cluster {
    char directory[64]; /* socket directory and parent of the data directory */
    int port;
    pid_t server;
    pid_t bouncer; /* 0 = not started */
    int bouncer_port;
} Cluster;

/* extra_settings: lines for postgresql.conf, or NULL. Connections are trusted; user postgres. fsync is off
 * unless the lines turn it on. */
Cluster *cluster_start(const char *extra_settings);

/* A PgBouncer in transaction mode in front of the cluster (pool of `pool_size` servers); stopped with it. */
void cluster_start_bouncer(Cluster *cluster, int pool_size);
void cluster_start_bouncer_again(Cluster *cluster); /* on its port, when it has ended */
void cluster_stop(Cluster *cluster);

/* kill -9 of the whole server / start again on the same data and port. */
void cluster_kill(Cluster *cluster);
void cluster_restart(Cluster *cluster);

/* "postgresql://postgres@127.0.0.1:PORT/DB", malloc'ed. */
char *cluster_url(const Cluster *cluster, const char *database);
char *cluster_bouncer_url(const Cluster *cluster, const char *database);

/* A connection of the test's own. */
PGconn *cluster_connect(const Cluster *cluster, const char *database);

/* Runs statements, ends the test program when the server refuses one. */
void sql_run(PGconn *connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* First column of the first row, malloc'ed ("" for NULL or no row). */
char *sql_text(PGconn *connection, const char *format, ...) __attribute__((format(printf, 2, 3)));
long long sql_number(PGconn *connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A fresh folder below /tmp for migration files and the like, malloc'ed; remove_tree() when done. */
char *make_folder(void);
void write_file(const char *folder, const char *name, const char *text);
void remove_tree(const char *path);
