/* A second owner for an error that several callers are told. */
#pragma once
#include "common/error.h"

/* Overwrites *target; texts that memory is too short for are left out. */
void error_copy(Error *target, const Error *source);
