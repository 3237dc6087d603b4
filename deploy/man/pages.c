/* Writes the manual pages into a folder, one file each, from the same tables as --help; runs at build time.
 */
#include "common/manual.h"
#include "coordinator/cli/command.h"
#include "worker/worker_options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes the text over. */
static void write_page(const char *folder, const char *name, int section, char *text)
{
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s.%d", folder, name, section);
    FILE *file = text != NULL && length < (int)sizeof path ? fopen(path, "w") : NULL;
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        fprintf(stderr, "error: cannot write %s\n", path);
        exit(EXIT_FAILURE);
    }
    free(text);
}

int main(int argc, char *argv[])
{
    if (argc != 2) {
        fputs("usage: manual-pages FOLDER\n", stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < COMMANDS.count; i++) {
        char name[128];
        snprintf(name, sizeof name, "pgconvoy-%s", COMMANDS.commands[i].name);
        for (char *colon; (colon = strchr(name, ':')) != NULL;)
            *colon = '-';
        write_page(argv[1], name, 1, command_manual(&COMMANDS.commands[i]));
    }
    write_page(argv[1], "pgconvoy", 1, command_manual_overview(&COMMANDS));
    write_page(argv[1], "pgconvoy-worker", 1, worker_options_manual());
    write_page(argv[1], "pgconvoy.yaml", 5, manual_config());
    return EXIT_DONE;
}
