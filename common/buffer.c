#include "common/buffer.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the NUL. */
static bool buffer_reserve(Buffer *buffer, size_t more)
{
    if (buffer->failed)
        return false;
    if (more > SIZE_MAX / 2 - buffer->length - 1) {
        buffer->failed = true;
        return false;
    }
    size_t needed = buffer->length + more + 1;
    if (needed <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_append(Buffer *buffer, const void *bytes, size_t length)
{
    if (!buffer_reserve(buffer, length))
        return;
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_append_text(Buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(Buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

void buffer_appendf(Buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buffer_append_vf(buffer, format, args);
    va_end(args);
}

void buffer_append_vf(Buffer *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0)
        buffer->failed = true;
    else if (buffer_reserve(buffer, (size_t)length)) {
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

void buffer_reset(Buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

bool buffer_failed(const Buffer *buffer)
{
    return buffer->failed;
}

const char *buffer_text(const Buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

char *buffer_take(Buffer *buffer)
{
    char *text = NULL;
    if (!buffer->failed)
        text = buffer->data != NULL ? buffer->data : strdup("");
    if (text != buffer->data)
        free(buffer->data);
    *buffer = (Buffer){0};
    return text;
}

void buffer_clear(Buffer *buffer)
{
    free(buffer->data);
    *buffer = (Buffer){0};
}
