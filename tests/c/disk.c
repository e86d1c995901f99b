/*
 * Opens a client and waits; then does one thing when it is told to, so that a tracer that was attached meanwhile sees
 * the calls of that one thing alone.
 *
 *     disk SERVER ISSUER ROOT_KEY STATE_FOLDER ping|activate|forget
 *
 * Reads the token from its first line, says "ready", and waits for another line. Ends with 0 when the operation ended
 * without an error.
 */
#include "common.h"

#include <string.h>

int main(int argc, char **argv)
{
    char token[128], go[8];
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    uint64_t operation = 0;
    int32_t code;
    REQUIRE(argc == 6 && fgets(token, sizeof token, stdin) != NULL);
    REQUIRE(seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_server(options, argv[1], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_license_issuer(options, argv[2], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_add_root_key(options, argv[3], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, argv[4], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_terms(options, "2026-01", NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    /* The worker is idle once it has answered something that needs neither disk nor network. */
    REQUIRE(seatlock_client_ping(client, SEATLOCK_INTENT_RENEW, &operation, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_wait(client, operation, 60000, &event) != SEATLOCK_PENDING && event.operation == operation);
    puts("ready");
    fflush(stdout);
    REQUIRE(fgets(go, sizeof go, stdin) != NULL);
    if (strcmp(argv[5], "ping") == 0)
        code = seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, &operation, NULL);
    else if (strcmp(argv[5], "forget") == 0)
        code = seatlock_client_forget(client, &operation, NULL);
    else
        code = seatlock_client_activate(client, token, (uint32_t)SEATLOCK_CONSENT_TERMS | (uint32_t)SEATLOCK_CONSENT_REMEMBER,
                                        &operation, NULL);
    REQUIRE(code == SEATLOCK_OK);
    code = seatlock_client_wait(client, operation, 60000, NULL);
    REQUIRE(code != SEATLOCK_PENDING);
    seatlock_client_close(client, 60000);
    seatlock_options_free(options);
    return code < 0;
}
