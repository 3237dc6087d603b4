#include "coordinator/fleet.h"
#include <stdlib.h>

static bool find_folder(const Config *config, bool shared, const char **ret_folder, Error *error)
{
    *ret_folder = config_text(config, shared ? SETTING_SHARED_FOLDER : SETTING_MIGRATIONS_FOLDER);
    if (!shared || (*ret_folder)[0] != '\0')
        return true;
    error_set(error, ERROR_CONFIG, "no folder with migrations of the shared schema is configured");
    error_set_hint(error, "set shared.folder in pgconvoy.yaml, or give the folder to migrate:shared with "
                          "--migrations-folder");
    return false;
}

bool fleet_load_files(const FleetRequest *request, bool shared, FleetFiles *ret_files, Error *error)
{
    const char *folder;
    *ret_files = (FleetFiles){.bundle = request->files};
    if (request->files != NULL)
        return true;
    ret_files->bundle = &ret_files->loaded;
    TextList warnings = {0};
    if (!find_folder(request->config, shared, &folder, error))
        return false;
    bool ok = bundle_load(folder, request->allow_no_files, &ret_files->loaded, &warnings, error);
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

void fleet_files_clear(FleetFiles *files)
{
    bundle_clear(&files->loaded);
    free(files->refusal);
    *files = (FleetFiles){0};
}
