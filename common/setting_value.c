#include "common/setting_value.h"
#include "common/buffer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *printable_value(const char *text, char ret_text[PRINTABLE_SIZE])
{
    /* A connection string in the wrong place must not reach a terminal or a CI log. */
    static const char *const SECRETS[] = {"://", "password", "passwd", "host=", "user="};
    for (size_t i = 0; i < sizeof(SECRETS) / sizeof(SECRETS[0]); i++) {
        if (strcasestr(text, SECRETS[i]) != NULL)
            return strcpy(ret_text, "<redacted>");
    }
    size_t length = strlen(text);
    size_t limit = PRINTABLE_SIZE - sizeof("\"...\"");
    size_t shown = length <= limit ? length : limit;
    while (shown < length && shown > 0 && ((unsigned char)text[shown] & 0xC0) == 0x80)
        shown--; /* never half a UTF-8 character */
    char *out = ret_text;
    *out++ = '"';
    for (size_t i = 0; i < shown; i++)
        *out++ = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
    strcpy(out, shown < length ? "...\"" : "\"");
    return ret_text;
}

static bool out_of_range(const char *text, int64_t min, int64_t max, const char *zero_word, Error *error)
{
    char shown[PRINTABLE_SIZE];
    return error_set(error, ERROR_CONFIG, "%s is out of range (%" PRId64 " to %" PRId64 "%s%s)",
                     printable_value(text, shown), min, max, zero_word != NULL ? ", or " : "",
                     zero_word != NULL ? zero_word : "");
}

static bool all_digits(const char *text, size_t length)
{
    return length > 0 && strspn(text, "0123456789") >= length;
}

bool parse_integer(const char *text, int64_t min, int64_t max, const char *zero_word, int64_t *ret_value,
                   Error *error)
{
    char shown[PRINTABLE_SIZE];
    if (zero_word != NULL && strcmp(text, zero_word) == 0) {
        *ret_value = 0;
        return true;
    }
    bool negative = text[0] == '-';
    const char *digits = text + negative;
    if (!all_digits(digits, strlen(digits)))
        return error_set(error, ERROR_CONFIG, "%s is not a whole number%s%s", printable_value(text, shown),
                         zero_word != NULL ? " or " : "", zero_word != NULL ? zero_word : "");
    /* Octal to one reader, decimal to the next: nobody shall have to guess. */
    if (digits[0] == '0' && digits[1] != '\0')
        return error_set(error, ERROR_CONFIG, "%s has a leading zero; numbers are decimal",
                         printable_value(text, shown));
    int64_t value = 0;
    for (const char *c = digits; *c != '\0'; c++) {
        if (value > (INT64_MAX - 9) / 10)
            return out_of_range(text, min, max, zero_word, error);
        value = value * 10 + (*c - '0');
    }
    value = negative ? -value : value;
    if (value < min || value > max)
        return out_of_range(text, min, max, zero_word, error);
    *ret_value = value;
    return true;
}

/* Independent of the locale, unlike strtod(). */
static bool parse_decimal(const char *text, int64_t min, int64_t max, double *ret_value, Error *error)
{
    enum { WHOLE_DIGITS = 12, FRACTION_DIGITS = 6 };
    char shown[PRINTABLE_SIZE];
    const char *digits = text + (text[0] == '-');
    size_t whole = strcspn(digits, ".");
    const char *fraction = digits[whole] == '.' ? digits + whole + 1 : "0";
    if (!all_digits(digits, whole) || whole > WHOLE_DIGITS || !all_digits(fraction, strlen(fraction)) ||
        strlen(fraction) > FRACTION_DIGITS)
        return error_set(error, ERROR_CONFIG, "%s is not a decimal number", printable_value(text, shown));
    if (digits[0] == '0' && whole > 1)
        return error_set(error, ERROR_CONFIG, "%s has a leading zero; numbers are decimal",
                         printable_value(text, shown));
    double value = 0;
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (digits[i] - '0');
    double part = 0;
    double scale = 1;
    for (const char *c = fraction; *c != '\0'; c++) {
        part = part * 10 + (*c - '0');
        scale *= 10;
    }
    value += part / scale;
    value = digits > text ? -value : value;
    if (value < (double)min || value > (double)max)
        return out_of_range(text, min, max, NULL, error);
    *ret_value = value;
    return true;
}

static bool parse_bool(const char *text, bool *ret_value, Error *error)
{
    static const struct {
        const char *word;
        bool value;
    } WORDS[] = {
        {"true", true}, {"false", false}, {"yes", true}, {"no", false},
        {"on", true},   {"off", false},   {"1", true},   {"0", false},
    };
    char shown[PRINTABLE_SIZE];
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (strcasecmp(text, WORDS[i].word) == 0) {
            *ret_value = WORDS[i].value;
            return true;
        }
    }
    return error_set(error, ERROR_CONFIG, "%s is neither true nor false", printable_value(text, shown));
}

static bool check_choice(const Setting *setting, const char *text, Error *error)
{
    BUFFER_CLEANUP Buffer names = {0};
    size_t count = 0;
    for (; setting->choices[count] != NULL; count++) {
        const char *choice = setting->choices[count];
        if (strcmp(text, choice) == 0)
            return true;
        if (choice[0] != '\0')
            buffer_appendf(&names, "%s%s", names.length > 0 ? ", " : "", choice);
    }
    char shown[PRINTABLE_SIZE];
    error_set(error, ERROR_CONFIG, "%s is not one of %s", printable_value(text, shown), buffer_text(&names));
    const char *nearest = nearest_name(text, setting->choices, count);
    if (nearest != NULL)
        error_set_hint(error, "did you mean %s?", nearest);
    return false;
}

bool setting_parse(const Setting *setting, const char *text, SettingValue *ret_value, Error *error)
{
    SettingValue value = {0};
    bool good = true;
    switch (setting->type) {
    case SETTING_INT:
        good = parse_integer(text, setting->min, setting->max, setting->zero_word, &value.integer, error);
        break;
    case SETTING_DECIMAL:
        good = parse_decimal(text, setting->min, setting->max, &value.decimal, error);
        break;
    case SETTING_BOOL:
        good = parse_bool(text, &value.boolean, error);
        break;
    case SETTING_CHOICE:
        good = check_choice(setting, text, error);
        break;
    case SETTING_TEXT:
        good = setting->check == NULL || setting->check(text, error);
        break;
    case SETTING_LIST: /* its parts are checked where the list is split */
        break;
    }
    if (good)
        *ret_value = value;
    return good;
}

bool check_schema_template(const char *text, Error *error)
{
    char shown[PRINTABLE_SIZE];
    if (strstr(text, "{id}") != NULL)
        return true;
    error_set(error, ERROR_CONFIG, "%s lacks {id}", printable_value(text, shown));
    error_set_hint(error, "without {id} all tenants would share one schema");
    return false;
}

bool check_failure_limit(const char *text, Error *error)
{
    char shown[PRINTABLE_SIZE];
    size_t length = strlen(text);
    bool percent = length > 0 && text[length - 1] == '%';
    size_t digits = length - (percent ? 1 : 0);
    if (length == 0)
        return true;
    if (!all_digits(text, digits) || (text[0] == '0' && digits > 1) || digits > 9)
        return error_set(error, ERROR_CONFIG, "%s is neither a number nor a percentage such as 5%%",
                         printable_value(text, shown));
    int64_t value = strtoll(text, NULL, 10);
    if (percent && value > 100)
        return error_set(error, ERROR_CONFIG, "%s is more than 100%%", printable_value(text, shown));
    return true;
}

bool check_not_empty(const char *text, Error *error)
{
    return text[0] != '\0' || error_set(error, ERROR_CONFIG, "must not be empty");
}

bool text_list_add_parts(TextList *list, const char *text, Error *error)
{
    for (const char *part = text;; part++) {
        size_t length = strcspn(part, ",");
        if (length == 0)
            return error_set(error, ERROR_CONFIG, "has an empty part between commas");
        char *copy = strndup(part, length);
        bool added = copy != NULL && text_list_add(list, copy);
        free(copy);
        if (!added)
            return error_memory(error);
        part += length;
        if (*part == '\0')
            return true;
    }
}
