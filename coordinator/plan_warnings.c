#include "coordinator/plan_warnings.h"
#include <stdio.h>
#include <string.h>

/* How many tenants show something, and the first migration it was seen with. */
typedef struct Sighting {
    size_t tenants;
    const char *migration;
} Sighting;

static void see(Sighting *sighting, const char *migration)
{
    if (sighting->tenants++ == 0)
        sighting->migration = migration;
}

/* What is pending is normally the end of the bundle; the first that is not has newer ones applied after it.
 */
static bool is_older_than_applied(const TextList *pending, const Bundle *bundle)
{
    return pending->count > 0 && pending->count < bundle->count &&
           strcmp(bundle->items[bundle->count - pending->count].name, pending->items[0]) != 0;
}

static void warn(const FleetRequest *request, const RunReport *report, const Sighting *sighting,
                 const char *what)
{
    if (sighting->tenants == 0)
        return;
    char whose[48], text[512];
    snprintf(whose, sizeof whose, "%zu tenant%s", sighting->tenants, sighting->tenants == 1 ? "" : "s");
    snprintf(text, sizeof text, "%s: %s, such as %s", report->of_shared ? "shared schema" : whose, what,
             sighting->migration);
    fleet_warn(request, text);
}

void plan_warn(const FleetRequest *request, const RunReport *report, const Bundle *bundle)
{
    Sighting changed = {0}, unexplained = {0}, older = {0};
    for (size_t i = 0; i < report->count; i++) {
        const TenantMigrationStatus *plan = report->entries[i].plan;
        if (plan == NULL)
            continue;
        if (plan->changed.count > 0)
            see(&changed, plan->changed.items[0]);
        if (plan->unexplained > 0)
            see(&unexplained, plan->pending_migrations.items[0]);
        if (is_older_than_applied(&plan->pending_migrations, bundle))
            see(&older, plan->pending_migrations.items[0]);
    }
    warn(request, report, &changed, "files were changed after they were applied and are not applied again");
    warn(request, report, &unexplained,
         "hashes are recorded that no file has, and pending files may be changed ones that were applied");
    warn(request, report, &older, "pending files are older than ones already applied");
}
