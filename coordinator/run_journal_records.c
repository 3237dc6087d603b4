/* The records of a run journal. */
#include "coordinator/run_journal.h"

#define ROW(structure, name, kind, rule, member)                  \
    {                                                             \
        (name), (kind), (rule), offsetof(structure, member), NULL \
    }
#define RUN(name, kind, member) ROW(JournalRun, name, kind, FIELD_ALWAYS, member)

static const RecordField RUN_FIELDS[] = {
    RUN("run", FIELD_TEXT, run),
    RUN("command", FIELD_TEXT, command),
    RUN("words", FIELD_TEXTS, words),
    RUN("folder", FIELD_TEXT, folder),
    RUN("startedAt", FIELD_TEXT, started_at),
    RUN("version", FIELD_TEXT, version),
    RUN("targets", FIELD_TEXT, targets),
    RUN("migrations", FIELD_TEXT, migrations),
    RUN("options", FIELD_TEXT, options),
    RUN("tenants", FIELD_INT, tenants),
};

const RecordType JOURNAL_RUN = RECORD_TYPE("JournalRun", JournalRun, RUN_FIELDS);

#define END(name, kind, member) ROW(JournalEnd, name, kind, FIELD_ALWAYS, member)

static const RecordField END_FIELDS[] = {
    END("total", FIELD_INT, total),        END("succeeded", FIELD_INT, succeeded),
    END("failed", FIELD_INT, failed),      END("skipped", FIELD_INT, skipped),
    END("exitCode", FIELD_INT, exit_code), END("durationMs", FIELD_INT, duration_ms),
    END("endedAt", FIELD_TEXT, ended_at),
};

const RecordType JOURNAL_END = RECORD_TYPE("JournalEnd", JournalEnd, END_FIELDS);
