#include "tests/conformance/driver.h"
#include <stdlib.h>
#include <string.h>

Answer answer_value(json_t *value)
{
    return (Answer){.returned = must_json(value)};
}

Answer answer_text(const char *text)
{
    return answer_value(json_string(text));
}

Answer answer_bool(bool value)
{
    return answer_value(json_boolean(value));
}

Answer answer_unsupported(void)
{
    return (Answer){0};
}

Answer answer_thrown(const char *message, const char *cause)
{
    json_t *threw = must_json(json_pack("{ss,ss}", "name", "Error", "message", message));
    if (cause != NULL)
        json_object_set_new(threw, "cause", must_json(json_string(cause)));
    return (Answer){.threw = threw};
}

/* The server's errors have a class of their own, "error", and the SQLSTATE as their code. */
Answer answer_error(const pgconvoy_error *error)
{
    const char *code = error->sqlstate[0] != '\0' ? error->sqlstate : NULL;
    char *words = code == NULL ? node_words(error->message, error->detail, &code) : NULL;
    const char *name = error->sqlstate[0] != '\0' ? "error" : "Error";
    const char *message = words != NULL ? words : error->message != NULL ? error->message : "";
    json_t *threw = must_json(json_pack("{ss,ss}", "name", name, "message", message));
    if (code != NULL)
        json_object_set_new(threw, "code", must_json(json_string(code)));
    free(words);
    return (Answer){.threw = threw};
}

void answer_clear(Answer *answer)
{
    json_decref(answer->returned);
    json_decref(answer->threw);
    *answer = (Answer){0};
}

void answer_add_to(Answer *answer, json_t *object)
{
    if (answer->returned != NULL)
        json_object_set(object, "returned", answer->returned);
    else if (answer->threw != NULL)
        json_object_set(object, "threw", answer->threw);
    else
        json_object_set_new(object, "unsupported", json_true());
}

/* A text that a tenant's result has from the system instead of the server. */
static void speak_node(json_t *value)
{
    size_t index;
    json_t *item;
    const char *key;
    json_array_foreach(value, index, item) speak_node(item);
    if (!json_is_object(value))
        return;
    const char *code, *error = text_of(value, "error");
    char *words = node_words(error, text_of(value, "detail"), &code);
    if (words != NULL)
        json_object_set_new(value, "error", must_json(json_string(words)));
    free(words);
    json_object_foreach(value, key, item) speak_node(item);
}

Answer answer_result(bool ok, char *text, const ShapeField *shape, const pgconvoy_error *error)
{
    if (!ok) {
        free(text);
        return answer_error(error);
    }
    json_t *value = must_json(text != NULL ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL);
    free(text);
    speak_node(value);
    json_t *cut = shape_cut(value, shape);
    json_decref(value);
    return answer_value(cut);
}
