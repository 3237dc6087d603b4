/* What reading and writing a journal share. */
#pragma once
#include "common/buffer.h"
#include "coordinator/run_journal.h"

enum { JOURNAL_CHAIN = 16, JOURNAL_FORMAT = 1 };

/* The digits of a line after one with `chain` ("" for the first line). */
bool run_journal_chain(const char *chain, const char *json, size_t length, char ret_chain[JOURNAL_CHAIN + 1],
                       Error *error) MUST_CHECK;
