/* Replays a folder of inputs through a fuzz target, so that what fuzzing has found stays found. An input
 * fails by killing this program; its name is then the last one on stderr. A missing or empty folder fails
 * too. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The content in memory of exactly its size, so that a sanitizer sees a read beyond it. NULL = errno. */
static uint8_t *read_input(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        if (file != NULL)
            fclose(file);
        return NULL;
    }
    size_t size = (size_t)status.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data != NULL && fread(data, 1, size, file) != size) {
        free(data);
        data = NULL;
    }
    fclose(file);
    *ret_size = size;
    return data;
}

static int replay(const char *folder, const char *name)
{
    char *path = NULL;
    size_t size = 0;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return -1;
    uint8_t *data = read_input(path, &size);
    if (data == NULL)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    else
        fprintf(stderr, "%s\n", name);
    free(path);
    if (data == NULL)
        return -1;
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    struct dirent **entries;
    int count = scandir(argv[1], &entries, visible, alphasort);
    if (count <= 0) {
        fprintf(stderr, "%s: %s\n", argv[1], count < 0 ? strerror(errno) : "no inputs");
        return 1;
    }
    int passed = 0;
    for (int i = 0; i < count; i++) {
        passed += replay(argv[1], entries[i]->d_name) == 0;
        free(entries[i]);
    }
    free(entries);
    printf("%d passed, %d failed\n", passed, count - passed);
    return passed == count ? 0 : 1;
}
