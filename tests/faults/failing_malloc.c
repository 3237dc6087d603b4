/* Preloaded into a program: allocations that fail. Counted are those of the program itself and of the
 * libraries that say how they fared; the others (libzmq, C++, OpenSSL, Kerberos) end the process when they
 * get no memory.
 *
 *   PGCONVOY_FAIL_AFTER=N      the N-th allocation fails, ...
 *   PGCONVOY_FAIL_PERCENT=P    ... and of all that follow P in a hundred (0 when it is not set)
 *   PGCONVOY_FAIL_SEED=S       which ones
 */
#pragma GCC visibility push(default)
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

enum { MOST_RANGES = 16 };

static const char *const LIBRARIES[] = {"libpq", "libjansson", "libcyaml", "libyaml", "libmsgpackc"};

static struct {
    uintptr_t first, last;
} counted[MOST_RANGES];
static int counted_count;
static atomic_ullong count, state;
static unsigned long long after;
static unsigned int percent;
static atomic_bool armed;

/* The program has no name. */
static bool is_counted(const char *name)
{
    bool is = name[0] == '\0';
    for (size_t i = 0; i < sizeof LIBRARIES / sizeof LIBRARIES[0]; i++)
        is = is || strstr(name, LIBRARIES[i]) != NULL;
    return is;
}

static int note_library(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    if (!is_counted(info->dlpi_name))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && counted_count < MOST_RANGES; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0)
            continue;
        counted[counted_count].first = info->dlpi_addr + segment->p_vaddr;
        counted[counted_count++].last = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;
    }
    return 0;
}

static unsigned long long number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void start(void)
{
    dl_iterate_phdr(note_library, NULL);
    after = number("PGCONVOY_FAIL_AFTER");
    percent = (unsigned int)number("PGCONVOY_FAIL_PERCENT");
    atomic_store(&state, number("PGCONVOY_FAIL_SEED"));
    atomic_store(&armed, after > 0);
}

static bool fails(const void *caller)
{
    bool is = false;
    for (int i = 0; i < counted_count; i++)
        is = is || ((uintptr_t)caller >= counted[i].first && (uintptr_t)caller < counted[i].last);
    if (!is || !atomic_load(&armed))
        return false;
    unsigned long long mine = atomic_fetch_add(&count, 1) + 1;
    if (mine < after)
        return false;
    unsigned long long z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15) + 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    if (mine > after && (z ^ z >> 31) % 100 >= percent)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t items, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(items, size);
}

void *realloc(void *old, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}

/* Also for the program's sake: libc's own would be called by libc. */
char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}
