#include "coordinator/fleet.h"
#include <stdlib.h>

bool fleet_load_files(const FleetRequest *request, bool shared, FleetFiles *ret_files, Error *error)
{
    SettingId folder = shared ? SETTING_SHARED_FOLDER : SETTING_MIGRATIONS_FOLDER;
    *ret_files = (FleetFiles){.bundle = request->files};
    if (request->files != NULL)
        return true;
    ret_files->bundle = &ret_files->loaded;
    TextList warnings = {0};
    bool ok = bundle_load(config_text(request->config, folder), request->allow_no_files, &ret_files->loaded,
                          &warnings, error);
    for (size_t i = 0; ok && i < warnings.count; i++)
        fleet_warn(request, warnings.items[i]);
    text_list_clear(&warnings);
    if (ok || !request->folder_per_tenant || error->code != ERROR_MIGRATIONS)
        return ok;
    ret_files->refusal = error->message;
    error->message = NULL;
    error_clear(error);
    return bundle_digest(&ret_files->loaded, error);
}

bool fleet_no_files(FleetFiles *ret_files, Error *error)
{
    *ret_files = (FleetFiles){.bundle = &ret_files->loaded};
    return bundle_digest(&ret_files->loaded, error);
}

void fleet_files_clear(FleetFiles *files)
{
    bundle_clear(&files->loaded);
    free(files->refusal);
    *files = (FleetFiles){0};
}
