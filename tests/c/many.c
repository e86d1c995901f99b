/*
 * One of many hosts that share a state folder: eight threads use one client at random until they are killed.
 * Writes one letter for each operation that ended, so that nothing is lost when it is killed; says
 * what is wrong on a line of its own, and ends with 1.
 *
 *     many SERVER ISSUER ROOT_KEY STATE_FOLDER SEED KINDS < token
 *
 * KINDS is drawn from: s status, t text, r renew, l launch, p preflight, a activate.
 */
#define _POSIX_C_SOURCE 200809L
#include "common.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 8, PATIENCE = 60000 };

static seatlock_client *client;
static const char *kinds;
static char token[128];

static void say(const char *text)
{
    REQUIRE(write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text));
}

static void wrong(char kind, int32_t code)
{
    char line[160];
    snprintf(line, sizeof line, "\nWRONG %c %s\n", kind, seatlock_code_name(code));
    say(line);
    exit(1);
}

static void check_status(char kind)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    int32_t code = seatlock_client_status(client, &status);
    if (code != SEATLOCK_OK)
        wrong(kind, code);
    if (status.state == SEATLOCK_STATE_LOCKED)
        wrong(kind, status.reason);
}

static int32_t start(char kind, uint64_t *operation)
{
    uint32_t consent = (uint32_t)SEATLOCK_CONSENT_TERMS | (uint32_t)SEATLOCK_CONSENT_REMEMBER;
    switch (kind) {
    case 'r':
        return seatlock_client_ping(client, SEATLOCK_INTENT_RENEW, operation, NULL);
    case 'l':
        return seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, operation, NULL);
    case 'p':
        return seatlock_client_preflight(client, NULL, operation, NULL);
    default:
        return seatlock_client_activate(client, token, consent, operation, NULL);
    }
}

static void one(char kind)
{
    uint64_t operation = 0;
    char text[256], letter[2] = {kind, '\0'};
    int32_t code;
    if (kind == 't') {
        code = seatlock_client_text(client, SEATLOCK_TEXT_SEAT, text, sizeof text, NULL);
        if (code != SEATLOCK_OK)
            wrong(kind, code);
    } else if (kind != 's') {
        code = start(kind, &operation);
        if (code != SEATLOCK_OK)
            wrong(kind, code);
        code = seatlock_client_wait(client, operation, PATIENCE, NULL);
        if (code < 0 || code == SEATLOCK_PENDING)
            wrong(kind, code);
    }
    check_status(kind);
    say(letter);
}

static void *work(void *seed)
{
    uint32_t random = *(unsigned *)seed;
    size_t choices = strlen(kinds);
    for (;;) {
        random = random * 1664525U + 1013904223U;
        one(kinds[(size_t)(random >> 16) % choices]);
    }
    return NULL; /* never; some compilers want it */
}

int main(int argc, char **argv)
{
    seatlock_options *options = NULL;
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    REQUIRE(argc == 7 && fgets(token, sizeof token, stdin) != NULL);
    kinds = argv[6];
    REQUIRE(seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_server(options, argv[1], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_license_issuer(options, argv[2], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_add_root_key(options, argv[3], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, argv[4], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_terms(options, "2026-01", NULL) == SEATLOCK_OK);
    int32_t code = seatlock_client_open(options, &client, NULL);
    if (code != SEATLOCK_OK)
        wrong('o', code);
    check_status('o');
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = (unsigned)atol(argv[5]) * THREADS + i;
        REQUIRE(pthread_create(&threads[i], NULL, work, &seeds[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    return 0;
}
