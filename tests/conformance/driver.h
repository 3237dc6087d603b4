/* The conformance driver: plays cases written for another implementation of the same contract against this
 * library, through its public headers alone.
 *
 * Stdin holds one JSON document {case, url, migrationsFolder, sharedMigrationsFolder?, config, steps[]}; each
 * step answers with one line of JSON on stdout: {step, op, args?, returned | threw, events?}. Only fields of
 * the contract are printed; ours are left out by the tables of driver_shape.c. A step that has no meaning
 * outside of JavaScript answers {step, op, unsupported: true}.
 *
 * The document outlives everything, so texts are borrowed from it. Running out of memory ends the program.
 */
#pragma once
#include <jansson.h>
#include <pgconvoy/migrator.h>
#include <pgconvoy/pool_manager.h>
#include <pthread.h>

/* What a step came to: a value, a failure, or neither when it makes no sense here. Owned by whoever has it.
 */
typedef struct Answer {
    json_t *returned;
    json_t *threw;
} Answer;

/* What callbacks reported since the last step ended. */
typedef struct Events {
    pthread_mutex_t mutex;
    json_t *list;
} Events;

/* A migrator with the configuration that its callbacks look at. */
typedef struct Subject {
    struct Driver *driver;
    json_t *config;
    pgconvoy_migrator *migrator;
} Subject;

typedef struct SavedPool {
    const char *name;
    pgconvoy_db *db;
} SavedPool;

typedef struct Background {
    const char *name;
    pthread_t thread;
    struct Driver *driver;
    const json_t *step;
    Answer answer;
    bool running; /* not joined yet */
} Background;

enum { SAVED_POOLS = 16, BACKGROUNDS = 8, PARALLEL = 32 };

typedef struct Driver {
    const json_t *document;
    const char *url; /* of the case's database, as its owner */
    Events events;
    pthread_mutex_t mutex; /* for making subject, pools and saved handles */
    Subject *subject;
    pgconvoy_pool_manager *pools;
    json_t *pools_config;
    SavedPool saved[SAVED_POOLS];
    size_t saved_count;
    Background backgrounds[BACKGROUNDS];
    size_t background_count;
} Driver;

/* --- driver_json.c: little helpers around jansson ----------------------------------------------------- */

/* Ends the program when memory ran out. */
json_t *must_json(json_t *value);

/* `{...}` of a key and a value, which is taken. */
json_t *json_pair(const char *key, json_t *value);

/* The argument at `index`, or NULL when it is absent, null or {"$undef":1}. */
const json_t *argument_at(const json_t *args, size_t index);

/* The text of a string; NULL of anything else. */
const char *text_of(const json_t *object, const char *key);
const char *text_argument(const json_t *args, size_t index);
int64_t number_of(const json_t *object, const char *key, int64_t otherwise);
bool flag_of(const json_t *object, const char *key, bool otherwise);

/* An array of strings as C has them; free() the result. NULL and 0 for anything else. */
const char **texts_of(const json_t *array, size_t *ret_count);

/* Some string inside holds U+0000, which a C string cannot. */
bool json_holds_nul(const json_t *value);

/* --- driver_answer.c ---------------------------------------------------------------------------------- */

Answer answer_value(json_t *value); /* taken */
Answer answer_text(const char *text);
Answer answer_bool(bool value);
Answer answer_unsupported(void);
Answer answer_error(const pgconvoy_error *error);
Answer answer_thrown(const char *message, const char *cause);
void answer_clear(Answer *answer);

/* {"returned": ...}, {"threw": ...} or {"unsupported": true} added to `object`. */
void answer_add_to(Answer *answer, json_t *object);

/* A result's JSON (taken) cut down to the contract's fields, or the error when !ok. */
typedef struct ShapeField ShapeField;
Answer answer_result(bool ok, char *json, const ShapeField *shape, const pgconvoy_error *error);

/* --- driver_words.c: what the other implementation has from Node or names after itself -------------------
 */

/* Its words for a failure that never came to the server, or NULL; free() them. *ret_code: "ENOENT", .. */
char *node_words(const char *message, const char *detail, const char **ret_code);

/* --- driver_shape.c: the contract's fields ------------------------------------------------------------- */

/* A field of a result; what it holds, when that is an object or an array of them. */
struct ShapeField {
    const char *name;
    const ShapeField *within;
};
extern const ShapeField SHAPE_MIGRATION[], SHAPE_MIGRATIONS[], SHAPE_STATUS[], SHAPE_SYNC_STATUS[],
    SHAPE_SYNC_STATUSES[], SHAPE_SYNC[], SHAPE_SYNCS[], SHAPE_DRIFT[], SHAPE_DRIFTS[], SHAPE_SCHEMA[],
    SHAPE_SEED[], SHAPE_SEEDS[], SHAPE_SHARED_MIGRATION[], SHAPE_SHARED_STATUS[],
    SHAPE_MIGRATION_WITH_SHARED[], SHAPE_SHARED_SEED[], SHAPE_SEED_WITH_SHARED[], SHAPE_CLONE[],
    SHAPE_HEALTH[], SHAPE_METRICS[], SHAPE_WARMUP[];

/* A new value with the shape's fields alone, in the shape's order. Arrays keep their items. */
json_t *shape_cut(const json_t *value, const ShapeField *shape);

/* --- driver_events.c ---------------------------------------------------------------------------------- */

void event_add(Driver *driver, json_t *event); /* taken */
json_t *events_take(Driver *driver);
json_t *events_by_tenant(const json_t *events);

/* The callbacks of one call's options. Valid while the call runs. */
typedef struct RunCallbacks {
    Driver *driver;
    const char *on_error; /* "abort", "continue", "throw", or NULL */
    const char *throw_on; /* progress status that fails the tenant */
    bool shared;          /* progress of the shared schema names no tenant */
    const char *cloning;  /* progress of a clone names no tenant, and counts tables */
    size_t cloned;
} RunCallbacks;
pgconvoy_decision decide(void *context, const char *tenant_id, const char *message);
bool report_progress(void *context, const char *tenant_id, const char *status, const char *migration,
                     pgconvoy_error *error);
/* How many tables there were is known when a clone is over; each of its tables' events gets it. */
void events_add_total(Driver *driver, size_t total);

/* Of pools and of steps: an attempt failed. */
void report_retry(void *context, int64_t attempt, const pgconvoy_error *error, int64_t delay_ms);

/* The migrator's hooks as the configuration wants them. */
pgconvoy_hooks hooks_of(Subject *subject);
pgconvoy_pool_hooks pool_hooks_of(Driver *driver);

/* Statements of a seed, in the way the other implementation's seeds run them. */
typedef struct SeedScript {
    Driver *driver;
    const json_t *script; /* {sql[], throw?, for?} */
    bool called;
} SeedScript;
bool run_seed(void *context, const char *tenant_id, struct pg_conn *connection, pgconvoy_error *error);

/* --- driver_config.c ---------------------------------------------------------------------------------- */

/* A migrator for the case's configuration with these changes (NULL = none). NULL with an error. */
Subject *subject_new(Driver *driver, const json_t *changes, pgconvoy_error *error);
void subject_free(Subject *subject);
pgconvoy_pool_manager *pools_new(Driver *driver, const json_t *changes, pgconvoy_error *error);

/* What the first step that needs it opens, with the case's own configuration. */
bool driver_open_migrator(Driver *driver, pgconvoy_error *error);
bool driver_open_pools(Driver *driver, pgconvoy_error *error);

/* --- the steps ---------------------------------------------------------------------------------------- */

Answer migrator_call(Subject *subject, const char *name, const json_t *args); /* driver_calls.c */
Answer schema_call(Subject *subject, const char *name, const json_t *args);   /* driver_schemas.c */
Answer pool_call(Driver *driver, const char *name, const json_t *args);       /* driver_pools.c */
Answer handle_call(Driver *driver, const char *name, const json_t *args);     /* driver_handles.c */
Answer drizzle_migrate(Driver *driver, const json_t *step);                   /* driver_drizzle.c */
Answer step_run(Driver *driver, const json_t *step);                          /* driver_steps.c */
const char *step_name(const json_t *step);

/* Waits for what still runs in the background. */
void backgrounds_join(Driver *driver);

/* Rows as JSON objects, or what the other implementation's query builder makes of a failure. */
Answer db_query(struct pg_conn *connection, const char *sql); /* driver_query.c */
bool sql_execute(const char *url, const char *sql, char **ret_message);
int64_t sql_count(const char *url, const char *sql);
