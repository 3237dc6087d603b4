#include "worker/outbox.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    RESULT_BATCH_BYTES = 4 << 20,
    RESULT_BODY_BYTES = 48 << 20, /* with a batch in front of it still one message */
    RESULT_ITEM_BYTES = 128,      /* besides its body, as it is kept here */
};

static bool add_lease(StartMessage *message, const OutboxLease *lease, Error *error)
{
    message->phase = lease->phase;
    LeaseItem *item = record_list_add(&LEASE_ITEM_RECORD, &message->leases);
    if (item == NULL)
        return error_memory(error);
    *item = (LeaseItem){lease->index, lease->attempt};
    return true;
}

bool outbox_add_start(Outbox *outbox, const OutboxLease *lease, Error *error)
{
    if (outbox->running.phase != lease->phase)
        record_clear(&START_RECORD, &outbox->running);
    return add_lease(&outbox->starts, lease, error) && add_lease(&outbox->running, lease, error);
}

static void forget_running(Outbox *outbox, const OutboxLease *lease)
{
    RecordList *running = &outbox->running.leases;
    LeaseItem *items = running->items;
    for (size_t i = 0; i < running->count; i++)
        if (items[i].index == lease->index && items[i].attempt == lease->attempt) {
            items[i] = items[--running->count];
            return;
        }
}

static bool send_results(Outbox *outbox, Session *session, Error *error)
{
    if (outbox->results.items.count == 0)
        return true;
    Unacknowledged *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return error_memory(error);
    entry->message = outbox->results;
    entry->bytes = outbox->result_bytes + outbox->results.items.count * RESULT_ITEM_BYTES;
    outbox->kept_bytes += entry->bytes;
    outbox->results = (ResultMessage){0};
    outbox->result_bytes = 0;
    DL_APPEND(outbox->kept, entry);
    return session == NULL || session_send(session, MESSAGE_RESULT, &entry->message, &entry->seq, error);
}

bool outbox_add_result(Outbox *outbox, Session *session, const OutboxLease *lease, Outcome outcome,
                       ByteString *body, bool *ret_too_large, Error *error)
{
    bool full = outbox->results.phase != lease->phase || outbox->result_bytes > RESULT_BATCH_BYTES;
    if (full && !send_results(outbox, session, error))
        return false;
    forget_running(outbox, lease);
    outbox->results.phase = lease->phase;
    ResultItem *item = record_list_add(&RESULT_ITEM_RECORD, &outbox->results.items);
    if (item == NULL)
        return error_memory(error);
    *ret_too_large = body != NULL && body->length > RESULT_BODY_BYTES;
    if (*ret_too_large && outcome_state(outcome) == TENANT_SUCCEEDED)
        outcome = OUTCOME_UNKNOWN;
    item->index = lease->index;
    item->attempt = lease->attempt;
    item->outcome = strdup(outcome_name(outcome));
    if (body != NULL && !*ret_too_large) {
        item->body = *body;
        *body = (ByteString){0};
        outbox->result_bytes += item->body.length;
    }
    return item->outcome != NULL || error_memory(error);
}

bool outbox_send(Outbox *outbox, Session *session, Error *error)
{
    bool ok = outbox->starts.leases.count == 0 || session == NULL ||
              session_send(session, MESSAGE_START, &outbox->starts, NULL, error);
    record_clear(&START_RECORD, &outbox->starts);
    return ok && send_results(outbox, session, error);
}

bool outbox_renew(Outbox *outbox, Session *session, Error *error)
{
    if (outbox->running.leases.count > 0 &&
        !session_send(session, MESSAGE_START, &outbox->running, NULL, error))
        return false;
    Unacknowledged *entry;
    DL_FOREACH(outbox->kept, entry)
    {
        if (!session_send(session, MESSAGE_RESULT, &entry->message, &entry->seq, error))
            return false;
    }
    return true;
}

static void forget_entry(Outbox *outbox, Unacknowledged *entry)
{
    DL_DELETE(outbox->kept, entry);
    outbox->kept_bytes -= entry->bytes;
    record_clear(&RESULT_RECORD, &entry->message);
    free(entry);
}

void outbox_forget(Outbox *outbox, uint64_t acknowledged)
{
    Unacknowledged *entry, *next;
    DL_FOREACH_SAFE(outbox->kept, entry, next)
    {
        if (entry->seq > acknowledged)
            return;
        forget_entry(outbox, entry);
    }
}

size_t outbox_count(const Outbox *outbox)
{
    size_t count = outbox->results.items.count > 0;
    const Unacknowledged *entry;
    DL_FOREACH(outbox->kept, entry)
    {
        count++;
    }
    return count;
}

size_t outbox_bytes(const Outbox *outbox)
{
    return outbox->kept_bytes + outbox->result_bytes;
}

void outbox_clear(Outbox *outbox)
{
    while (outbox->kept != NULL)
        forget_entry(outbox, outbox->kept);
    record_clear(&START_RECORD, &outbox->running);
    record_clear(&START_RECORD, &outbox->starts);
    record_clear(&RESULT_RECORD, &outbox->results);
    *outbox = (Outbox){0};
}
