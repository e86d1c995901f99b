/*
 * 32 threads, at least one in each call, while one closes the client. Each goes on until it is told that the client is
 * closed, and so do those that sleep.
 *
 *     closing ROUNDS STATE_FOLDER
 */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { THREADS = 32, CLOSE_MS = 60000 };

static seatlock_client *client;
static pthread_barrier_t together;
static atomic_long calls;

static seatlock_result wait_long(void)
{
    uint64_t operation = 0;
    seatlock_result code = seatlock_client_ping(client, SEATLOCK_INTENT_RENEW, &operation, NULL);
    return code == SEATLOCK_OK ? seatlock_client_wait(client, operation, UINT32_MAX, NULL) : code;
}

static seatlock_result one(int kind)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    seatlock_entitlement entitlement = SEATLOCK_ENTITLEMENT_INIT;
    seatlock_license license = SEATLOCK_LICENSE_INIT;
    intptr_t watched;
    char text[128];
    switch (kind) {
    case 0:
        return seatlock_client_text(client, SEATLOCK_TEXT_STATUS, text, sizeof text, NULL);
    case 25:
        return seatlock_client_license(client, &license);
    case 1:
        return seatlock_client_entitlement(client, "cad", &entitlement);
    case 2:
        return seatlock_client_allow_network(client, (uint32_t)(calls & 1), NULL);
    case 3:
        return seatlock_client_activate(client, TOKEN, SEATLOCK_CONSENT_TERMS, NULL, NULL);
    case 4:
        return seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, NULL, NULL);
    case 5:
        return seatlock_client_release(client, NULL, NULL);
    case 6:
        return seatlock_client_preflight(client, TOKEN, NULL, NULL);
    case 7:
        return seatlock_client_sign_in_browser(client, SEATLOCK_CONSENT_TERMS, 0, 0, NULL, NULL);
    case 8:
        return seatlock_client_sign_in_device(client, SEATLOCK_CONSENT_TERMS, 0, NULL, NULL);
    case 9:
        return seatlock_client_sign_out(client, NULL, NULL);
    case 10:
        return seatlock_client_forget(client, NULL, NULL);
    case 11:
        return seatlock_client_airgap_request(client, TOKEN, SEATLOCK_CONSENT_TERMS, "/nowhere/request", NULL, NULL);
    case 12:
        return seatlock_client_airgap_import(client, "/nowhere/lease", NULL, NULL);
    case 13:
        return seatlock_client_airgap_release(client, "/nowhere/release", NULL, NULL);
    case 14:
        return seatlock_client_cancel(client, (uint64_t)calls);
    case 15:
        return seatlock_client_event_handle(client, &watched, NULL);
    case 16:
        return seatlock_client_next_event(client, 0, &event);
    case 17:
    case 18:
    case 19:
        return seatlock_client_next_event(client, UINT32_MAX, &event);
    case 20:
    case 21:
        return seatlock_client_wait(client, (uint64_t)calls, UINT32_MAX, &event);
    case 22:
    case 23:
    case 24:
        return wait_long();
    default:
        return seatlock_client_status(client, &status);
    }
}

static void *work(void *number)
{
    int kind = (int)(intptr_t)number;
    pthread_barrier_wait(&together);
    do
        atomic_fetch_add(&calls, 1);
    while (one(kind) != SEATLOCK_ERROR_CLOSED);
    return NULL;
}

static void play(const seatlock_options *options, int round)
{
    pthread_t threads[THREADS];
    struct timespec moment = {0, round % 8 * 500000L};
    REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    for (intptr_t number = 0; number < THREADS; number++)
        REQUIRE(pthread_create(&threads[number], NULL, work, (void *)number) == 0);
    pthread_barrier_wait(&together);
    nanosleep(&moment, NULL);
    REQUIRE(seatlock_client_close(client, CLOSE_MS) == SEATLOCK_OK);
    REQUIRE(seatlock_client_close(client, CLOSE_MS) == SEATLOCK_ERROR_CLOSED);
    for (int number = 0; number < THREADS; number++)
        REQUIRE(pthread_join(threads[number], NULL) == 0);
}

static void SEATLOCK_CALL wake(seatlock_client *woken, void *context)
{
    (void)woken;
    atomic_fetch_add((atomic_long *)context, 1);
}

int main(int argc, char **argv)
{
    static atomic_long wakes;
    REQUIRE(argc == 3);
    seatlock_options *options = options_in(argv[2]);
    REQUIRE(seatlock_options_set_oidc_issuer(options, NOBODY, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_client_id(options, "bridge", NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_wake(options, wake, &wakes, NULL) == SEATLOCK_OK);
    REQUIRE(pthread_barrier_init(&together, NULL, THREADS + 1) == 0);
    for (int round = 0; round < atoi(argv[1]); round++)
        play(options, round);
    seatlock_options_free(options);
    printf("%s clients closed under %d threads, in %ld calls and %ld wakes\n", argv[1], THREADS, (long)calls,
           (long)wakes);
    return 0;
}
