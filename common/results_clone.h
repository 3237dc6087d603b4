/* Result of a clone. */
#pragma once
#include "common/results.h"

typedef pgconvoy_clone_result CloneResult;

extern const RecordType CLONE_RESULT;
