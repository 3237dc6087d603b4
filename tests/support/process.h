/* Programs under test: started with captured output, awaited with a deadline, never left behind.
 *
 * A child dies with the test program (parent-death signal). Failures of the harness end the test program.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

typedef struct Process {
    pid_t pid;  /* 0 once it has ended */
    int status; /* exit code, or 128 + signal */
    char *out_path, *err_path;
} Process;

/* Starts PROGRAM (a name in the build's bin folder, or a path) in `folder` with these words, NULL-terminated.
 * `environment` holds NAME=value entries added to the test's own, NULL-terminated, or is NULL. */
Process *process_start(const char *folder, const char *const environment[], const char *const words[]);

/* The same with the file at `input_path` as its stdin, which is empty otherwise. */
Process *process_start_with_input(const char *folder, const char *const environment[],
                                  const char *const words[], const char *input_path);

/* Waits until it ends; ends the test program when it does not within deadline_ms. Returns its status. */
int process_wait(Process *process, int deadline_ms);

/* True once it has ended. */
bool process_ended(Process *process);
void process_signal(Process *process, int signal_number);

/* Waits until its stderr or stdout holds `text`. */
void process_await_text(Process *process, const char *text, int deadline_ms);

/* What it wrote so far, malloc'ed. */
char *process_out(const Process *process);
char *process_err(const Process *process);

/* Kills it if it still runs, and forgets it. */
void process_free(Process *process);

/* Runs to the end and returns the status; *ret_out and *ret_err (may be NULL) are malloc'ed. */
int process_run(const char *folder, const char *const environment[], const char *const words[],
                char **ret_out, char **ret_err);

/* Polls `condition` until it holds; ends the test program after deadline_ms, naming `what`. */
void await(bool (*condition)(void *context), void *context, int deadline_ms, const char *what);
void sleep_ms(int ms); /* only between two looks at a condition */
