#include "worker/hello.h"
#include <stdlib.h>

bool hello_say(Channel *channel, const uint8_t *session_id, ConversationHost *host, size_t outbox,
               Error *error)
{
    size_t count = 0;
    const DatabaseConfig *databases = config_databases(host->config, &count);
    HelloDatabase *announced = calloc(count + 1, sizeof *announced);
    if (announced == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++)
        announced[i] = (HelloDatabase){databases[i].name, databases[i].max_connections};
    HelloMessage hello = {
        .proto_min = PROTOCOL_MAJOR,
        .proto_max = PROTOCOL_MAJOR,
        .worker = (char *)host->worker_uuid,
        .incarnation = ++host->incarnation,
        .name = (char *)host->worker_name,
        .version = (char *)PGCONVOY_VERSION,
        .slots = host->slots,
        .tenant_hooks = host->tenant_hooks,
        .databases = {announced, count},
        .outbox = (int64_t)outbox,
    };
    bool ok = channel_greet(channel, MESSAGE_HELLO, session_id, &hello, error);
    free(announced);
    return ok;
}
