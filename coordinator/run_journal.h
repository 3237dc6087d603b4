/* Run journal: what a run was asked to do and what became of every tenant, on disk while it happens.
 *
 * A text file, one record a line: 16 hexadecimal digits, a space, a JSON object. The digits are the beginning
 * of SHA-256 over the digits of the line before and this line's JSON, so a line that was changed, lost or put
 * in between shows. Lines are only ever added. The first record says what was asked (type "run"), "tenant"
 * records what became of one tenant (the last one of an index counts), "resume" that the run was taken up
 * again, "end" how it ended. Each line is one write; fsync follows at least once a second and at the end.
 *
 * The databases are the truth, the journal tells a story about them: losing its end costs details of a
 * report, never correctness. A file whose last line is torn is read up to there, and cut there before it goes
 * on; any other damage is refused. While a process writes a journal it holds a lock on it. One thread.
 */
#pragma once
#include "common/results.h"
#include "common/tenant.h"

/* The first record. */
typedef struct JournalRun {
    char *run;        /* hexadecimal id */
    char *command;    /* "migrate", "mark-applied", "rehearse" */
    TextList words;   /* the command line behind the program's name */
    char *folder;     /* working directory */
    char *started_at; /* ISO 8601, UTC */
    char *version;    /* of the program */
    char *targets;    /* digest of (database, id, schema) of every tenant in order */
    char *migrations; /* digest of the bundle */
    char *options;    /* digest of what the operation was told */
    int64_t tenants;
} JournalRun;

extern const RecordType JOURNAL_RUN;

/* What became of one tenant; in the file the result's fields stand beside these. */
typedef struct JournalTenant {
    int64_t index; /* in the list */
    char *database;
    char *state; /* "succeeded", "failed", "skipped" */
    TenantMigrationResult result;
} JournalTenant;

typedef struct JournalEnd {
    int64_t total, succeeded, failed, skipped;
    int64_t exit_code;
    int64_t duration_ms;
    char *ended_at;
} JournalEnd;

extern const RecordType JOURNAL_END;

/* A journal as read. */
typedef struct JournalContent {
    char *path;
    JournalRun run;
    JournalTenant *tenants; /* by index; state NULL where nothing is recorded. run.tenants of them */
    JournalEnd end;
    bool ended;      /* the last thing it says is how it ended */
    bool torn;       /* its last line is incomplete */
    bool is_live;    /* a process is writing it */
    int64_t length;  /* bytes up to the end of the last good line */
    int64_t resumed; /* times */
    char chain[17];  /* digits of that line */
} JournalContent;

/* ERROR_CONFIG: no such file, not a journal, or damaged before its last line (the error names the line). */
bool run_journal_read(const char *path, JournalContent *ret_content, Error *error) MUST_CHECK;
void run_journal_content_clear(JournalContent *content);

/* The folder that journals go to unless told otherwise: $XDG_STATE_HOME/pgconvoy/runs, or below
 * ~/.local/state. malloc'ed; ERROR_CONFIG when neither variable is set. */
char *run_journal_folder(Error *error) MUST_CHECK;

/* The path of the journal that `name` means: a path (with a slash), or the beginning of a run's id or file
 * name in the folder. malloc'ed; ERROR_USAGE when none or several fit. */
char *run_journal_find(const char *name, Error *error) MUST_CHECK;

/* Paths of all journals in the folder, oldest first. */
bool run_journal_list(TextList *ret_paths, Error *error) MUST_CHECK;

typedef struct RunJournal RunJournal;

/* Makes the file (mode 0600, its folder 0700) and writes the first record; path NULL = a name of its own in
 * run_journal_folder(). */
RunJournal *run_journal_create(const char *path, const JournalRun *run, Error *error) MUST_CHECK;

/* Goes on with a journal that was read; ERROR_BUSY while another process writes it. */
RunJournal *run_journal_resume(const JournalContent *content, Error *error) MUST_CHECK;

/* Adds a record. A failure is remembered, and nothing more is written: ask run_journal_failed() at the end.
 */
void run_journal_add_tenant(RunJournal *journal, const JournalTenant *tenant);
void run_journal_add_end(RunJournal *journal, const JournalEnd *end);

/* fsync if the last one is a second ago and something was written since. */
void run_journal_sync(RunJournal *journal, int64_t now_ms);

/* What went wrong while writing, or NULL. */
const Error *run_journal_failed(const RunJournal *journal);
const char *run_journal_path(const RunJournal *journal);

/* fsync and close; accepts NULL. */
void run_journal_close(RunJournal *journal);

/* Hexadecimal digest of a list. */
bool run_journal_digest_targets(const TenantList *tenants, char ret_digest[65], Error *error) MUST_CHECK;
