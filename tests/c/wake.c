/*
 * A host whose wake function never returns: it ends the thread that it was called on, each time. The client goes on, and
 * closing it neither hangs nor leaves a thread behind.
 *
 *     wake exit|cancel|return STATE_FOLDER
 */
#define _POSIX_C_SOURCE 200809L
#include "clock.h"
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { CLIENTS = 20, OPERATIONS = 10, CLOSE_MS = 20000 };

typedef struct host {
    enum { EXIT, CANCEL, RETURN } how;
    /* How long the function takes before it ends its thread. */
    long pause_ms;
    seatlock_client *client;
    atomic_int begun;
} host;

static void SEATLOCK_CALL wake(seatlock_client *client, void *context)
{
    host *called = context;
    /* It never comes before the client is known. */
    REQUIRE(client != NULL && client == called->client);
    atomic_fetch_add(&called->begun, 1);
    if (called->pause_ms > 0)
        pause_ms(called->pause_ms);
    if (called->how == EXIT)
        pthread_exit(NULL);
    if (called->how == CANCEL) {
        REQUIRE(pthread_cancel(pthread_self()) == 0);
        pthread_testcancel();
    }
}

static seatlock_client *open_client(host *context, const char *folder)
{
    seatlock_options *options = options_in(folder);
    context->client = NULL;
    REQUIRE(seatlock_options_set_wake(options, wake, context, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_open(options, &context->client, NULL) == SEATLOCK_OK);
    seatlock_options_free(options);
    return context->client;
}

/* Something that ends with an event. */
static uint64_t begin(seatlock_client *client)
{
    uint64_t operation = 0;
    REQUIRE(seatlock_client_activate(client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) == SEATLOCK_OK);
    return operation;
}

static void until_begun(host *called, int count)
{
    for (int tries = 0; tries < 2000 && atomic_load(&called->begun) < count; tries++)
        pause_ms(5);
    if (atomic_load(&called->begun) < count)
        fprintf(stderr, "the wake function began %d times, not %d\n", atomic_load(&called->begun), count);
    REQUIRE(atomic_load(&called->begun) >= count);
}

/* The kernel lists a thread for a moment after it was joined. */
static long threads_in_the_end(long expected)
{
    for (int tries = 0; tries < 400 && entries("/proc/self/task") != expected; tries++)
        pause_ms(5);
    return entries("/proc/self/task");
}

/* Every operation is told of, however often the thread was ended before. */
static void goes_on(host *called, const char *folder)
{
    long threads = entries("/proc/self/task");
    for (int number = 0; number < CLIENTS; number++) {
        seatlock_client *client = open_client(called, folder);
        atomic_store(&called->begun, 0);
        for (int count = 1; count <= OPERATIONS; count++) {
            seatlock_event event = SEATLOCK_EVENT_INIT;
            REQUIRE(seatlock_client_wait(client, begin(client), 60000, &event) == SEATLOCK_ERROR_UNREACHABLE);
            REQUIRE(event.code == SEATLOCK_ERROR_UNREACHABLE);
            until_begun(called, count);
        }
        seatlock_status status = SEATLOCK_STATUS_INIT;
        REQUIRE(seatlock_client_status(client, &status) == SEATLOCK_OK);
        REQUIRE(seatlock_client_close(client, CLOSE_MS) == SEATLOCK_OK);
        REQUIRE(threads_in_the_end(threads) == threads);
    }
}

/* A thread that is ended in the middle of the call that close waits for is not waited for any longer. */
static void closes_meanwhile(host *called, const char *folder)
{
    long threads = entries("/proc/self/task");
    called->pause_ms = 100;
    for (int number = 0; number < CLIENTS; number++) {
        seatlock_client *client = open_client(called, folder);
        atomic_store(&called->begun, 0);
        begin(client);
        until_begun(called, 1);
        double before = seconds();
        REQUIRE(seatlock_client_close(client, CLOSE_MS) == SEATLOCK_OK);
        REQUIRE(seconds() - before < CLOSE_MS / 2000.0);
        REQUIRE(threads_in_the_end(threads) == threads);
    }
    called->pause_ms = 0;
}

/* Closing says so when the wake function has not returned. */
static void closes_too_early(host *called, const char *folder)
{
    long threads = entries("/proc/self/task");
    seatlock_client *client = open_client(called, folder);
    called->pause_ms = 500;
    atomic_store(&called->begun, 0);
    begin(client);
    until_begun(called, 1);
    REQUIRE(seatlock_client_close(client, 50) == SEATLOCK_STILL_RUNNING);
    REQUIRE(seatlock_client_close(client, 0) == SEATLOCK_ERROR_CLOSED);
    REQUIRE(threads_in_the_end(threads) == threads);
    called->pause_ms = 0;
    client = open_client(called, folder);
    REQUIRE(seatlock_client_close(client, 0) == SEATLOCK_OK);
    REQUIRE(threads_in_the_end(threads) == threads);
}

int main(int argc, char **argv)
{
    static host called;
    REQUIRE(argc == 3);
    called.how = strcmp(argv[1], "exit") == 0 ? EXIT : strcmp(argv[1], "cancel") == 0 ? CANCEL : RETURN;
    goes_on(&called, argv[2]);
    closes_meanwhile(&called, argv[2]);
    closes_too_early(&called, argv[2]);
    printf("%s: %d clients with %d events each, and %d closed in mid-call\n", argv[1], CLIENTS, OPERATIONS, CLIENTS);
    return 0;
}
