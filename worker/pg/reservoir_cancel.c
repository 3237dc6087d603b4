/* Cancelling what is lent, without holding up anybody who lends or returns. */
#include "worker/pg/reservoir_internal.h"
#include "worker/threads.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Seats whose users are to be cancelled, linked by next_cancelled. */
typedef struct Cancelling {
    Reservoir *reservoir; /* with a reference */
    Seat *seats;
} Cancelling;

/* Mutex held. */
static Seat *mark_for_cancelling(Reservoir *reservoir, const char *application_name_start)
{
    Seat *marked = NULL, *seat;
    size_t length = strlen(application_name_start);
    DL_FOREACH(reservoir->lent, seat)
    {
        const char *borrower = seat->borrower != NULL ? seat->borrower : "";
        if (seat->cancelling || strncmp(borrower, application_name_start, length) != 0)
            continue;
        seat->cancelling = true;
        seat->next_cancelled = marked;
        marked = seat;
    }
    return marked;
}

static void cancel_seats(Cancelling cancelling)
{
    Reservoir *reservoir = cancelling.reservoir;
    for (Seat *seat = cancelling.seats, *next; seat != NULL; seat = next) {
        next = seat->next_cancelled;
        connection_cancel(seat->connection);
        pthread_mutex_lock(&reservoir->mutex);
        seat->cancelling = false;
        bool returned = seat->returned;
        pthread_mutex_unlock(&reservoir->mutex);
        if (returned)
            reservoir_drop_seat(reservoir, seat);
    }
    reservoir_free(reservoir);
}

static void *run_cancelling(void *argument)
{
    Cancelling cancelling = *(Cancelling *)argument;
    free(argument);
    cancel_seats(cancelling);
    return NULL;
}

void reservoir_cancel_borrower(Reservoir *reservoir, const char *application_name_start)
{
    Cancelling cancelling = {.reservoir = reservoir};
    pthread_mutex_lock(&reservoir->mutex);
    cancelling.seats = mark_for_cancelling(reservoir, application_name_start);
    reservoir->references++;
    pthread_mutex_unlock(&reservoir->mutex);
    Cancelling *argument = cancelling.seats != NULL ? malloc(sizeof *argument) : NULL;
    pthread_t thread;
    if (argument != NULL)
        *argument = cancelling;
    if (argument != NULL && thread_start(&thread, run_cancelling, argument)) {
        pthread_detach(thread);
        return;
    }
    free(argument);
    cancel_seats(cancelling); /* holding up the caller is better than not cancelling */
}

void reservoir_cancel(Reservoir *reservoir)
{
    reservoir_cancel_borrower(reservoir, "");
}
