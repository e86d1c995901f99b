/*
 * A host with a poll loop: the descriptor of a client is readable exactly while there is an event
 * to take.
 *
 *     poll STATE_FOLDER
 */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

static int readable(intptr_t watched, int timeout_ms)
{
    struct pollfd asked = {(int)watched, POLLIN, 0};
    int found = poll(&asked, 1, timeout_ms);
    REQUIRE(found >= 0 && (asked.revents & ~POLLIN) == 0);
    return found;
}

static void *close_soon(void *client)
{
    struct pollfd nothing = {-1, 0, 0};
    poll(&nothing, 1, 100);
    REQUIRE(seatlock_client_close(client, 20000) == SEATLOCK_OK);
    return NULL;
}

int main(int argc, char **argv)
{
    seatlock_client *client = NULL;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    intptr_t watched = -1, again = -1;
    uint64_t operation = 0;
    pthread_t closing;
    REQUIRE(argc == 2);
    seatlock_options *options = options_in(argv[1]);
    REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    seatlock_options_free(options);

    long descriptors = entries("/proc/self/fd");
    REQUIRE(seatlock_client_event_handle(client, &watched, NULL) == SEATLOCK_OK && watched >= 0);
    REQUIRE(seatlock_client_event_handle(client, &again, NULL) == SEATLOCK_OK && again == watched);
    REQUIRE(entries("/proc/self/fd") == descriptors + 1);
    REQUIRE((fcntl((int)watched, F_GETFD) & FD_CLOEXEC) != 0);
    REQUIRE(readable(watched, 0) == 0);
    for (int round = 0; round < 100; round++) {
        int taken = 0;
        REQUIRE(seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, &operation, NULL) == SEATLOCK_OK);
        REQUIRE(seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, NULL, NULL) == SEATLOCK_OK);
        while (taken < 2) {
            REQUIRE(readable(watched, 20000) == 1 && readable(watched, 0) == 1);
            while (seatlock_client_next_event(client, 0, &event) == SEATLOCK_OK) {
                REQUIRE(event.code == SEATLOCK_NOT_ACTIVATED);
                taken++;
            }
        }
        REQUIRE(readable(watched, 0) == 0);
        /* An event that is waited for is not one that can be taken. */
        REQUIRE(seatlock_client_forget(client, &operation, NULL) == SEATLOCK_OK);
        REQUIRE(seatlock_client_wait(client, operation, 20000, NULL) == SEATLOCK_OK);
        REQUIRE(readable(watched, 0) == 0);
    }
    /* Whoever polls is woken by the closing. A copy of the descriptor is there afterwards too, when
       this thread begins to poll too late. */
    struct pollfd asked = {fcntl((int)watched, F_DUPFD_CLOEXEC, 0), POLLIN, 0};
    REQUIRE(asked.fd >= 0);
    REQUIRE(pthread_create(&closing, NULL, close_soon, client) == 0);
    REQUIRE(poll(&asked, 1, 20000) == 1 && asked.revents == POLLIN);
    REQUIRE(pthread_join(closing, NULL) == 0);
    REQUIRE(seatlock_client_next_event(client, 0, &event) == SEATLOCK_ERROR_CLOSED);
    puts("100 rounds");
    return 0;
}
