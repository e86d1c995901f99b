/* A client of a linked library. Arguments of every such host: SERVER ROOT_KEY LEASE_KEY MACHINE STATE_FOLDER. */
#ifndef SEATLOCK_BENCH_CLIENT_H
#define SEATLOCK_BENCH_CLIENT_H

#include "host.h"

enum { SERVER = 1, ROOT_KEY, LEASE_KEY, MACHINE, STATE_FOLDER, ARGUMENTS };

/* An empty key is not pinned. */
static inline seatlock_options *options_of(char **argv)
{
    seatlock_options *options = NULL;
    REQUIRE(seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_server(options, argv[SERVER], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_machine_id(options, argv[MACHINE], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, argv[STATE_FOLDER], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_terms(options, TERMS, NULL) == SEATLOCK_OK);
    if (argv[ROOT_KEY][0] != '\0')
        REQUIRE(seatlock_options_add_root_key(options, argv[ROOT_KEY], NULL) == SEATLOCK_OK);
    if (argv[LEASE_KEY][0] != '\0')
        REQUIRE(seatlock_options_add_lease_key(options, argv[LEASE_KEY], NULL) == SEATLOCK_OK);
    return options;
}

static inline seatlock_client *open_client(const seatlock_options *options)
{
    seatlock_client *client = NULL;
    seatlock_error error = SEATLOCK_ERROR_INIT;
    if (seatlock_client_open(options, &client, &error) != SEATLOCK_OK)
        fprintf(stderr, "open: %s\n", error.message);
    REQUIRE(client != NULL);
    return client;
}

static inline void finish(seatlock_client *client, uint64_t operation)
{
    seatlock_event event = SEATLOCK_EVENT_INIT;
    seatlock_result code = seatlock_client_wait(client, operation, 20000, &event);
    if (code != SEATLOCK_OK)
        fprintf(stderr, "code %d: %s\n", (int)code, event.message);
    REQUIRE(code == SEATLOCK_OK);
}

static inline void activate(seatlock_client *client, const char *token, uint32_t consent)
{
    uint64_t operation = 0;
    REQUIRE(seatlock_client_activate(client, token, consent, &operation, NULL) == SEATLOCK_OK);
    finish(client, operation);
}

static inline uint32_t lock_state(seatlock_client *client)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    REQUIRE(seatlock_client_status(client, &status) == SEATLOCK_OK);
    return status.state;
}

#endif
