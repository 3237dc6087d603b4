#include "coordinator/doctor.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "coordinator/inspect.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Above this many tenants nobody wants a pool for each. */
enum { TENANTS_WITH_POOLS = 1000 };

/* An examination in progress. */
typedef struct Doctor {
    const FleetRequest *request;
    DoctorReport *report;
    bool out_of_memory;
} Doctor;

/* --- what is found --- */

__attribute__((format(printf, 5, 6))) static void
add_check(Doctor *doctor, const char *name, const char *status, const char *details, const char *format, ...)
{
    BUFFER_CLEANUP Buffer message = {0};
    va_list args;
    va_start(args, format);
    buffer_append_vf(&message, format, args);
    va_end(args);
    doctor->report->healthy &= strcmp(status, "error") != 0;
    DoctorCheck *check = record_list_add(&DOCTOR_CHECK, &doctor->report->checks);
    if (check == NULL) {
        doctor->out_of_memory = true;
        return;
    }
    *check = (DoctorCheck){.name = strdup(name),
                           .status = strdup(status),
                           .message = buffer_take(&message),
                           .details = details != NULL ? strdup(details) : NULL};
    doctor->out_of_memory |= check->name == NULL || check->status == NULL || check->message == NULL ||
                             (check->details == NULL && details != NULL);
}

__attribute__((format(printf, 4, 5))) static void add_advice(Doctor *doctor, const char *priority,
                                                             const char *action, const char *format, ...)
{
    BUFFER_CLEANUP Buffer message = {0};
    va_list args;
    va_start(args, format);
    buffer_append_vf(&message, format, args);
    va_end(args);
    DoctorAdvice *advice = record_list_add(&DOCTOR_ADVICE, &doctor->report->advice);
    if (advice == NULL) {
        doctor->out_of_memory = true;
        return;
    }
    *advice = (DoctorAdvice){
        .priority = strdup(priority), .message = buffer_take(&message), .action = strdup(action)};
    doctor->out_of_memory |= advice->priority == NULL || advice->message == NULL || advice->action == NULL;
}

static const char *message_of(const Error *error)
{
    return error->message != NULL ? error->message : error_class(error->code)->doc;
}

/* --- databases --- */

static void judge_connection(Doctor *doctor, const char *database, const DatabaseInspection *found,
                             bool several)
{
    DoctorReport *report = doctor->report;
    BUFFER_CLEANUP Buffer where = {0};
    BUFFER_CLEANUP Buffer details = {0};
    if (several)
        buffer_appendf(&where, "database \"%s\": ", database);
    if (found->error != NULL) {
        add_check(doctor, "Database Connection", "error", found->detail, "%s%s", buffer_text(&where),
                  found->error);
        add_advice(doctor, "high",
                   found->hint != NULL ? found->hint : "check the url and that the server runs",
                   "Database \"%s\" cannot be used", database);
        return;
    }
    buffer_appendf(&details, "Response time: %lldms", (long long)found->latency_ms);
    add_check(doctor, "Database Connection", "ok", buffer_text(&details), "%sPostgreSQL %s connected",
              buffer_text(&where), found->server_version);
    if (report->server_version == NULL) {
        report->server_version = strdup(found->server_version);
        report->latency_ms = found->latency_ms;
        doctor->out_of_memory |= report->server_version == NULL;
    }
}

static void judge_rights(Doctor *doctor, const char *database, const DatabaseInspection *found)
{
    if (found->error != NULL)
        return;
    BUFFER_CLEANUP Buffer grant = {0};
    if (!found->may_use_plpgsql) {
        buffer_appendf(&grant, "GRANT USAGE ON LANGUAGE plpgsql TO \"%s\" in that database", found->role);
        add_check(doctor, "Database Role", "error", NULL,
                  "role \"%s\" may not use the language plpgsql in database \"%s\"", found->role, database);
        add_advice(doctor, "high", buffer_text(&grant), "Nothing can be migrated without plpgsql");
    } else if (!found->may_create) {
        buffer_appendf(&grant, "GRANT CREATE ON DATABASE ... TO \"%s\"", found->role);
        add_check(doctor, "Database Role", "warn", NULL,
                  "role \"%s\" may not create schemas in database \"%s\"", found->role, database);
        add_advice(doctor, "medium", buffer_text(&grant), "Tenants cannot be created");
    } else
        add_check(doctor, "Database Role", "ok", NULL,
                  "role \"%s\" may create schemas and use plpgsql in database \"%s\"", found->role, database);
}

/* --- tenants --- */

static bool has_source_of_tenants(const Config *config)
{
    return config_text(config, SETTING_TENANTS_QUERY)[0] != '\0' ||
           config_text(config, SETTING_TENANTS_FILE)[0] != '\0' ||
           config_bool(config, SETTING_TENANTS_SCHEMAS) || config_tenant_ids(config)->count > 0 ||
           config_tenant_command(config)->count > 0;
}

static void judge_tenants(Doctor *doctor, Fleet *fleet)
{
    static const char NAME[] = "Tenant Discovery";
    if (!has_source_of_tenants(doctor->request->config)) {
        add_check(doctor, NAME, "warn", "the section `tenants` names no source", "Not configured");
        add_advice(doctor, "medium", "Set tenants.query, schemas, ids, file or command in pgconvoy.yaml",
                   "Tenant discovery is not configured");
        return;
    }
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    if (fleet_list(fleet, &list, &error)) {
        doctor->report->tenant_count = (int64_t)list.count;
        add_check(doctor, NAME, "ok", NULL, "Found %zu tenant(s)", list.count);
    } else {
        add_check(doctor, NAME, "error", error.detail != NULL ? error.detail : error.hint, "%s",
                  message_of(&error));
        add_advice(doctor, "high", "Check the section `tenants` of pgconvoy.yaml", "Tenant discovery failed");
    }
    tenant_list_clear(&list);
}

/* --- files --- */

/* The folder as an absolute path, malloc'ed. */
static char *absolute_path(const char *folder)
{
    char *here = folder[0] != '/' ? getcwd(NULL, 0) : NULL;
    if (here == NULL)
        return strdup(folder);
    while (strncmp(folder, "./", 2) == 0)
        folder += 2;
    Buffer path = {0};
    buffer_appendf(&path, "%s/%s", here, folder);
    free(here);
    return buffer_take(&path);
}

static bool is_there(const char *folder)
{
    struct stat status;
    return stat(folder, &status) == 0;
}

static void missing_folder(Doctor *doctor, const char *name, const char *kind, const char *folder)
{
    BUFFER_CLEANUP Buffer action = {0};
    char *path = absolute_path(folder);
    buffer_appendf(&action, "Create the folder: mkdir -p %s", folder);
    add_check(doctor, name, "warn", path, "Folder does not exist");
    add_advice(doctor, "medium", buffer_text(&action), "%s folder not found", kind);
    free(path);
}

/* The folder's files, and what a run would say of them. */
static void judge_folder(Doctor *doctor, const char *name, const char *kind, const char *folder)
{
    if (!is_there(folder)) {
        missing_folder(doctor, name, kind, folder);
        return;
    }
    ERROR_CLEANUP Error error = {0};
    Bundle bundle = {0};
    TextList warnings = {0};
    if (!bundle_load(folder, true, &bundle, &warnings, &error)) {
        add_check(doctor, name, "error", error.detail, "%s", message_of(&error));
        add_advice(doctor, "high", error.hint != NULL ? error.hint : "Correct the file", "%s are refused",
                   kind);
    } else if (warnings.count > 0)
        add_check(doctor, name, "warn", warnings.items[0], "%zu migration file(s), %zu warning(s)",
                  bundle.count, warnings.count);
    else
        add_check(doctor, name, "ok", folder, "%zu migration file(s)", bundle.count);
    text_list_clear(&warnings);
    bundle_clear(&bundle);
}

static void judge_files(Doctor *doctor)
{
    const Config *config = doctor->request->config;
    const char *shared = config_text(config, SETTING_SHARED_FOLDER);
    judge_folder(doctor, "Migrations Folder", "Migrations", config_text(config, SETTING_MIGRATIONS_FOLDER));
    if (shared[0] != '\0') {
        judge_folder(doctor, "Shared Migrations Folder", "Shared migrations", shared);
        return;
    }
    add_check(doctor, "Shared Migrations Folder", "warn", "shared.folder is not set", "Not configured");
    add_advice(doctor, "low", "Set shared.folder in pgconvoy.yaml to enable shared schema migrations",
               "Shared migrations folder not configured");
}

/* --- settings --- */

static void judge_template(Doctor *doctor)
{
    static const char EXAMPLE[] = "test-tenant";
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer details = {0};
    char *schema =
        schema_from_template(config_text(doctor->request->config, SETTING_TENANTS_SCHEMA), EXAMPLE, &error);
    buffer_appendf(&details, "Template: %s → %s", EXAMPLE, schema != NULL ? schema : message_of(&error));
    add_check(doctor, "Schema Isolation", schema != NULL ? "ok" : "error", buffer_text(&details),
              "schema-based isolation");
    free(schema);
}

/* "1h", "90s", "1500ms": the largest unit that fits. */
static void append_duration(Buffer *text, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } UNITS[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t unit = 0;
    while (ms == 0 || ms % UNITS[unit].ms != 0)
        if (UNITS[++unit].ms == 1)
            break;
    buffer_appendf(text, "%lld%s", (long long)(ms / UNITS[unit].ms), UNITS[unit].unit);
}

static void judge_pools(Doctor *doctor)
{
    DoctorReport *report = doctor->report;
    BUFFER_CLEANUP Buffer details = {0};
    BUFFER_CLEANUP Buffer action = {0};
    buffer_appendf(&details, "max=%lld, ttl=", (long long)report->max_pools);
    append_duration(&details, report->pool_ttl_ms);
    if (report->tenant_count <= report->max_pools || report->tenant_count > TENANTS_WITH_POOLS) {
        add_check(doctor, "Pool Configuration", "ok", buffer_text(&details), "Configuration looks good");
        return;
    }
    add_check(doctor, "Pool Configuration", "warn", buffer_text(&details), "Pool limit may be insufficient");
    buffer_appendf(&action, "Consider increasing pools.max_pools to %lld to avoid LRU evictions",
                   (long long)(report->tenant_count * 3 + 1) / 2);
    add_advice(doctor, "medium", buffer_text(&action),
               "Current pools.max_pools (%lld) is close to tenant count (%lld)", (long long)report->max_pools,
               (long long)report->tenant_count);
}

/* --- the whole --- */

static void judge_workers(Doctor *doctor, const Fleet *fleet)
{
    size_t count = dispatcher_worker_count(fleet->dispatcher);
    if (fleet->hosted != NULL)
        add_check(doctor, "Workers", "ok", NULL, "one worker in this process");
    else
        add_check(doctor, "Workers", "ok", NULL, "%zu worker(s) answered", count);
}

static void judge_configuration(Doctor *doctor)
{
    const char *path = config_path(doctor->request->config);
    doctor->report->configured = true;
    if (path != NULL)
        add_check(doctor, "Configuration", "ok", path, "Configuration file found and valid");
    else
        add_check(doctor, "Configuration", "ok", "no pgconvoy.yaml", "Environment and defaults are used");
}

/* No fleet: either nothing says which database, or nobody works for us. */
static void judge_failure_to_open(Doctor *doctor, const Error *error)
{
    if (error->code != ERROR_CONFIG) {
        judge_configuration(doctor);
        add_check(doctor, "Workers", "error", error->detail, "%s", message_of(error));
        add_advice(doctor, "high", error->hint != NULL ? error->hint : "Start workers, or run without them",
                   "No worker can be reached");
        judge_files(doctor);
        judge_template(doctor);
        judge_pools(doctor);
        return;
    }
    add_check(doctor, "Configuration", "error", error->detail, "%s", message_of(error));
    add_advice(doctor, "high", error->hint != NULL ? error->hint : "Correct pgconvoy.yaml",
               "Configuration file not found or invalid");
}

static void examine(Doctor *doctor, Fleet *fleet)
{
    ERROR_CLEANUP Error error = {0};
    Inspections inspections;
    judge_configuration(doctor);
    bool inspected = inspect_run(fleet, &inspections, &error);
    size_t count = inspected ? inspections.names.count : 0;
    if (!inspected)
        add_check(doctor, "Database Connection", "error", error.detail, "%s", message_of(&error));
    for (size_t i = 0; i < count; i++)
        judge_connection(doctor, inspections.names.items[i], &inspections.found[i], count > 1);
    judge_tenants(doctor, fleet);
    judge_files(doctor);
    judge_template(doctor);
    judge_pools(doctor);
    judge_workers(doctor, fleet);
    for (size_t i = 0; i < count; i++)
        judge_rights(doctor, inspections.names.items[i], &inspections.found[i]);
    inspections_clear(&inspections);
}

bool doctor_run(const FleetRequest *request, DoctorReport *ret_report, Error *error)
{
    *ret_report = (DoctorReport){
        .healthy = true,
        .max_pools = config_int(request->config, SETTING_POOLS_MAX_POOLS),
        .pool_ttl_ms = config_int(request->config, SETTING_POOLS_TTL_MS),
        .tenant_count = -1,
    };
    ERROR_CLEANUP Error failure = {0};
    Doctor doctor = {.request = request, .report = ret_report};
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    Fleet fleet;
    if (fleet_open(&fleet, request, NULL, &failure))
        examine(&doctor, &fleet);
    else
        judge_failure_to_open(&doctor, &failure);
    fleet_close(&fleet);
    ret_report->duration_ms = clock_now_ms(&SYSTEM_CLOCK) - started_ms;
    return doctor.out_of_memory ? error_memory(error) : true;
}

void doctor_report_clear(DoctorReport *report)
{
    static const RecordField LISTS[] = {
        {"checks", FIELD_RECORDS, FIELD_ALWAYS, offsetof(DoctorReport, checks), &DOCTOR_CHECK},
        {"advice", FIELD_RECORDS, FIELD_ALWAYS, offsetof(DoctorReport, advice), &DOCTOR_ADVICE},
        {"version", FIELD_TEXT, FIELD_ALWAYS, offsetof(DoctorReport, server_version), NULL},
    };
    static const RecordType OWNED = RECORD_TYPE("DoctorReport", DoctorReport, LISTS);
    record_clear(&OWNED, report);
}
