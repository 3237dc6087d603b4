/* Interrupts: SIGINT and SIGTERM as a descriptor. The first asks for an abort, the second for a cancel. */
#pragma once
#include "common/error.h"
#include "coordinator/dispatcher.h"

typedef struct Interrupts {
    int fd; /* readable when a signal came */
    int count;
} Interrupts;

/* Blocks both signals in this thread; to be called before any other thread starts. */
bool interrupts_open(Interrupts *interrupts, Error *error) MUST_CHECK;
void interrupts_close(Interrupts *interrupts);

/* Takes in what came and says what the operator wants by now. *ret_new: this call brought news. */
Request interrupts_poll(Interrupts *interrupts, bool *ret_new);
