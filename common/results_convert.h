/* Results of convert-format. */
#pragma once
#include "common/record.h"

typedef pgconvoy_convert_result ConvertResult;

extern const RecordType CONVERT_RESULT;     /* the library's names */
extern const RecordType CONVERT_RESULT_CLI; /* the CLI's: "schema" for "schemaName" */
