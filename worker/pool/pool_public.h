/* What the files behind pgconvoy/pool_manager.h share. */
#pragma once
#include "common/error.h"

/* ERROR_USAGE when it is NULL. */
bool pool_argument_check(const void *argument, const char *name, Error *error) MUST_CHECK;
