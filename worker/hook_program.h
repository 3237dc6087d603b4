/* Hook program: runs one executable of the operator's around a tenant or a migration, and judges how it
 * ended.
 *
 * Started by posix_spawnp, since this process has threads, as the leader of a process group of its own, with
 * default signals, no descriptor of ours, and stdin from a file or empty. What it writes to stderr becomes
 * part of the error; stdout goes to the log at level debug. One that is past its time, or whose run was
 * cancelled, gets SIGTERM and two seconds later SIGKILL, its whole group. Any thread may call this, several
 * at a time.
 */
#pragma once
#include "common/error.h"
#include <stdatomic.h>

enum { HOOK_GRACE_MS = 2000 }; /* between SIGTERM and SIGKILL, and for what begins in a cancelled run */

typedef struct HookProgram {
    const char *hook;         /* "before_tenant", for messages */
    char *const *argv;        /* NULL-terminated, as is the environment */
    char *const *environment; /* all of it */
    int input;                /* its stdin: an open file at its start; -1 = empty */
    int64_t timeout_ms;
    const atomic_bool *cancelled; /* may be NULL */
    bool cleans_up; /* gets its grace also in a cancelled run: its counterpart has been called */
    const char *log_context;
} HookProgram;

/* True when it exited with status 0. ERROR_CALLBACK says how else it ended, ERROR_CANCELLED that we ended it
 * with the run. Nothing of it is left afterwards: no zombie, no descriptor; but what it put into the
 * background runs on, with nobody reading its stderr, unless the program had to be ended. */
bool hook_program_run(const HookProgram *program, Error *error) MUST_CHECK;

/* Whether argv[0] can be run, by its path or found in PATH. The error names the program, not the setting. */
bool hook_program_check(const char *name, Error *error) MUST_CHECK;

/* Judges a wait status; `text` is what the program said on stderr. Pure. */
bool hook_program_judge(const char *hook, int status, const char *text, Error *error) MUST_CHECK;
