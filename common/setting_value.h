/* SettingValue: one text turned into a setting's value, by one parser for flag, environment and file. */
#pragma once
#include "common/config.h"

typedef struct SettingValue {
    int64_t integer; /* SETTING_INT */
    double decimal;  /* SETTING_DECIMAL */
    bool boolean;    /* SETTING_BOOL */
} SettingValue;

/* Untouched on failure; texts, choices and lists only get checked. Errors name the value, not the setting. */
bool setting_parse(const Setting *setting, const char *text, SettingValue *ret_value,
                   Error *error) MUST_CHECK;

/* Whole decimal number without sign (but "-"), leading zeros, blanks. */
bool parse_integer(const char *text, int64_t min, int64_t max, const char *zero_word, int64_t *ret_value,
                   Error *error) MUST_CHECK;

/* Checks of single settings. */
bool check_schema_template(const char *text, Error *error) MUST_CHECK;
bool check_failure_limit(const char *text, Error *error) MUST_CHECK;
bool check_not_empty(const char *text, Error *error) MUST_CHECK;
