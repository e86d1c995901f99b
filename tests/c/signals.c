/*
 * A host that lives on signals, a profiler's timer for example: its handler must never run on a thread that the library
 * has made, from the thread's first moment to its last.
 *
 *     signals ROUNDS STATE_FOLDER
 */
#define _GNU_SOURCE
#include "common.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Nanoseconds between two signals: many for each client. */
enum { INTERVAL = 20000 };

static pid_t host;
static atomic_long at_home, astray;

static void handle(int number)
{
    (void)number;
    atomic_fetch_add((pid_t)syscall(SYS_gettid) == host ? &at_home : &astray, 1);
}

static void SEATLOCK_CALL wake(seatlock_client *client, void *context)
{
    (void)client;
    (void)context;
}

static void live(const char *folder)
{
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    uint64_t operation = 0;
    REQUIRE(seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    /* A name, so that a thread is made to look it up. */
    REQUIRE(seatlock_options_set_server(options, "http://localhost:9", NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_add_root_key(options, ROOT_KEY, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, folder, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_wake(options, wake, NULL, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_activate(client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_wait(client, operation, 60000, &event) == SEATLOCK_ERROR_UNREACHABLE);
    REQUIRE(seatlock_client_close(client, 20000) == SEATLOCK_OK);
    seatlock_options_free(options);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3);
    host = (pid_t)syscall(SYS_gettid);
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec often = {{0, INTERVAL}, {0, INTERVAL}};
    REQUIRE(timer_settime(timer, 0, &often, NULL) == 0);
    for (int round = atoi(argv[1]); round > 0; round--)
        live(argv[2]);
    REQUIRE(timer_delete(timer) == 0);
    printf("%s clients: %ld handlers on the host's thread, %ld on others\n", argv[1], at_home, astray);
    REQUIRE(at_home > 0);
    return astray == 0 ? 0 : 1;
}
