/*
 * A host that does what it is told, one word a line, and answers with the nanoseconds that it took.
 *
 *     calls SERVER ROOT_KEY LEASE_KEY MACHINE STATE_FOLDER
 *
 * The first line is the token: an argument could be seen by others. Then
 *
 *     remember    activate and wait for the answer; token and lease are kept on disk
 *     forget      activate and wait for the answer; nothing is kept
 *     ping        ping and wait for the answer
 *     open        open a second client and ask for its status; closing it is not measured
 */
#define _GNU_SOURCE
#include "client.h"

#include <string.h>

static int64_t open_again(const seatlock_options *options)
{
    int64_t begin = now_ns();
    seatlock_client *client = open_client(options);
    uint32_t state = lock_state(client);
    int64_t took = now_ns() - begin;
    REQUIRE(state == SEATLOCK_STATE_UNLOCKED || state == SEATLOCK_STATE_GRACE);
    REQUIRE(seatlock_client_close(client, 5000) == SEATLOCK_OK);
    return took;
}

static int64_t ping(seatlock_client *client)
{
    uint64_t operation = 0;
    int64_t begin = now_ns();
    REQUIRE(seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, &operation, NULL) == SEATLOCK_OK);
    finish(client, operation);
    return now_ns() - begin;
}

static int64_t activation(seatlock_client *client, const char *token, uint32_t consent)
{
    int64_t begin = now_ns();
    activate(client, token, consent);
    return now_ns() - begin;
}

int main(int argc, char **argv)
{
    char token[128], word[32];
    REQUIRE(argc == ARGUMENTS);
    REQUIRE(fgets(token, sizeof token, stdin) != NULL);
    seatlock_options *options = options_of(argv);
    seatlock_client *client = open_client(options);
    while (fgets(word, sizeof word, stdin) != NULL) {
        int64_t took = 0;
        word[strcspn(word, "\n")] = '\0';
        if (strcmp(word, "remember") == 0)
            took = activation(client, token, SEATLOCK_CONSENT_TERMS | SEATLOCK_CONSENT_REMEMBER);
        else if (strcmp(word, "forget") == 0)
            took = activation(client, token, SEATLOCK_CONSENT_TERMS);
        else if (strcmp(word, "ping") == 0)
            took = ping(client);
        else if (strcmp(word, "open") == 0)
            took = open_again(options);
        else
            REQUIRE(!"a known word");
        printf("%lld\n", (long long)took);
        fflush(stdout);
    }
    REQUIRE(seatlock_client_close(client, 5000) == SEATLOCK_OK);
    seatlock_options_free(options);
    return 0;
}
