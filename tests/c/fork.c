/*
 * After fork() the child must get SEATLOCK_ERROR_FORKED at once instead of hanging on threads and locks that it has
 * no copy of, must be able to open a client of its own, and must not disturb the parent.
 */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static seatlock_client *open_client(const char *folder)
{
    seatlock_options *options = options_in(folder);
    seatlock_client *client = NULL;
    seatlock_error error = SEATLOCK_ERROR_INIT;
    if (seatlock_client_open(options, &client, &error) != SEATLOCK_OK)
        fprintf(stderr, "open: %s\n", error.message);
    REQUIRE(client != NULL);
    seatlock_options_free(options);
    return client;
}

static void expect_locked_without_token(const seatlock_client *client)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    REQUIRE(seatlock_client_status(client, &status) == SEATLOCK_OK);
    REQUIRE(status.state == SEATLOCK_STATE_LOCKED);
    REQUIRE(status.reason == SEATLOCK_ERROR_NO_TOKEN);
}

/* Every call on the parent's client, as a child sees it. */
static void in_child(seatlock_client *inherited, const char *folder)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    uint64_t operation = 0;
    char text[128];
    alarm(20); /* a hang ends as a signal, which the parent reports */
    REQUIRE(seatlock_client_status(inherited, &status) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_text(inherited, SEATLOCK_TEXT_MACHINE_ID, text, sizeof text, NULL) ==
            SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_report(inherited, text, sizeof text, NULL) == SEATLOCK_ERROR_FORKED);
    seatlock_entitlement entitlement = SEATLOCK_ENTITLEMENT_INIT;
    seatlock_license license = SEATLOCK_LICENSE_INIT;
    REQUIRE(seatlock_client_license(inherited, &license) == SEATLOCK_ERROR_FORKED);
    intptr_t watched = -1;
    REQUIRE(seatlock_client_entitlement(inherited, "cad", &entitlement) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_event_handle(inherited, &watched, NULL) == SEATLOCK_ERROR_FORKED && watched == -1);
    REQUIRE(seatlock_client_activate(inherited, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) ==
            SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_ping(inherited, SEATLOCK_INTENT_LAUNCH, &operation, NULL) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_release(inherited, &operation, NULL) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_preflight(inherited, TOKEN, &operation, NULL) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_forget(inherited, &operation, NULL) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_cancel(inherited, 1) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_next_event(inherited, 10000, &event) == SEATLOCK_ERROR_FORKED);
    REQUIRE(seatlock_client_wait(inherited, 1, 10000, &event) == SEATLOCK_ERROR_FORKED);
    REQUIRE(operation == 0);
    REQUIRE(seatlock_client_close(inherited, 10000) == SEATLOCK_OK);
    REQUIRE(seatlock_client_status(inherited, &status) == SEATLOCK_ERROR_FORKED);

    seatlock_client *own = open_client(folder);
    expect_locked_without_token(own);
    REQUIRE(seatlock_client_forget(own, &operation, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_wait(own, operation, 10000, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_close(own, 2000) == SEATLOCK_OK);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2); /* a state folder */
    for (int round = 0; round < 20; round++) {
        seatlock_client *client = open_client(argv[1]);
        int status = 0;
        /* Something is in flight while the process is copied: the worst moment. */
        uint64_t operation = 0;
        REQUIRE(seatlock_client_activate(client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) == SEATLOCK_OK);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            in_child(client, argv[1]);
            exit(0);
        }
        REQUIRE(waitpid(child, &status, 0) == child);
        if (WIFSIGNALED(status))
            fprintf(stderr, "round %d: signal %d ended the child\n", round, WTERMSIG(status));
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        seatlock_event event = SEATLOCK_EVENT_INIT;
        REQUIRE(seatlock_client_wait(client, operation, 20000, &event) == SEATLOCK_ERROR_UNREACHABLE);
        REQUIRE(event.operation == operation && event.code == SEATLOCK_ERROR_UNREACHABLE);
        expect_locked_without_token(client);
        REQUIRE(seatlock_client_close(client, 2000) == SEATLOCK_OK);
    }
    puts("20 forks: children refused at once and opened clients of their own, the parent went on");
    return 0;
}
