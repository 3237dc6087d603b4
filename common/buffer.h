/* Buffer: a growable string of bytes, always NUL-terminated, for text whose length users control.
 *
 * Allocation failure is remembered instead of reported at every call: build the whole text, then check
 * buffer_failed() (or let buffer_take() return NULL) once. A zeroed Buffer is a valid empty one. Not
 * thread-safe.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Buffer {
    char *data; /* NULL until something was appended */
    size_t length;
    size_t capacity;
    bool failed;
} Buffer;

void buffer_append(Buffer *buffer, const void *bytes, size_t length);
void buffer_append_text(Buffer *buffer, const char *text);
void buffer_append_char(Buffer *buffer, char c);
void buffer_appendf(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_append_vf(Buffer *buffer, const char *format, va_list args);

/* Forgets the content but keeps the memory and clears the failure. */
void buffer_reset(Buffer *buffer);
bool buffer_failed(const Buffer *buffer);

/* The content so far, never NULL; valid until the next change. */
const char *buffer_text(const Buffer *buffer);

/* Hands the text over to the caller, who frees it, and empties the buffer. NULL when memory ran out. */
char *buffer_take(Buffer *buffer);
void buffer_clear(Buffer *buffer);

#define BUFFER_CLEANUP __attribute__((cleanup(buffer_clear)))
