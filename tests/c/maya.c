/*
 * One plug-in of a family, in C. Reads words from its standard input, one in a line, and says after each how it ended and
 * what it may do.
 *
 *     maya SERVER ISSUER ROOT_KEY STATE_FOLDER PRODUCT
 *
 * Words: a token, which is activated and remembered; ping, release, forget; status, which asks nobody; license, which
 * says what there is to read of it.
 */
#include "common.h"

#include <string.h>

/* Without a network, and without a license. */
static void license(seatlock_client *client)
{
    char account[64] = "-", terms[64] = "-", subject[64] = "-";
    seatlock_entitlement limit = SEATLOCK_ENTITLEMENT_INIT, unknown = SEATLOCK_ENTITLEMENT_INIT;
    seatlock_credential credential = SEATLOCK_CREDENTIAL_INIT;
    REQUIRE(seatlock_client_entitlement(client, "export.max", &limit) == SEATLOCK_OK);
    REQUIRE(seatlock_client_entitlement(client, "export.min", &unknown) == SEATLOCK_OK);
    REQUIRE(unknown.included == 0 && unknown.has_value == 0 && unknown.value == 0 && unknown.valid_until == 0);
    REQUIRE(seatlock_client_text(client, SEATLOCK_TEXT_ACCOUNT, account, sizeof account, NULL) >= SEATLOCK_OK);
    REQUIRE(seatlock_client_text(client, SEATLOCK_TEXT_TERMS, terms, sizeof terms, NULL) >= SEATLOCK_OK);
    REQUIRE(seatlock_client_text(client, SEATLOCK_TEXT_SUBJECT, subject, sizeof subject, NULL) == SEATLOCK_NO_VALUE);
    seatlock_result found = seatlock_client_credential(client, &credential);
    REQUIRE(found == SEATLOCK_NO_VALUE || (found == SEATLOCK_OK && credential.kind == SEATLOCK_CREDENTIAL_TOKEN));
    REQUIRE(limit.included == limit.has_value);
    printf("export.max %ld until %ld, terms %s, %s\n", limit.has_value ? (long)limit.value : -1L, (long)limit.valid_until,
           terms, found == SEATLOCK_NO_VALUE ? "no token" : credential.remembered ? "remembered" : "for now");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char word[128];
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_status status = SEATLOCK_STATUS_INIT;
    REQUIRE(argc == 6 && seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, argv[5], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_family(options, "com.example", NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_server(options, argv[1], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_license_issuer(options, argv[2], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_add_root_key(options, argv[3], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, argv[4], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_terms(options, "2026-01", NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    while (fgets(word, sizeof word, stdin) != NULL) {
        seatlock_operation operation = 0;
        seatlock_result begun, ended = SEATLOCK_OK;
        word[strcspn(word, "\n")] = '\0';
        if (strcmp(word, "license") == 0) {
            license(client);
            continue;
        }
        if (strcmp(word, "ping") == 0)
            begun = seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, &operation, NULL);
        else if (strcmp(word, "release") == 0)
            begun = seatlock_client_release(client, &operation, NULL);
        else if (strcmp(word, "forget") == 0)
            begun = seatlock_client_forget(client, &operation, NULL);
        else if (strcmp(word, "status") == 0)
            begun = SEATLOCK_OK;
        else
            begun = seatlock_client_activate(
                client, word, (uint32_t)SEATLOCK_CONSENT_TERMS | (uint32_t)SEATLOCK_CONSENT_REMEMBER, &operation, NULL);
        REQUIRE(begun == SEATLOCK_OK);
        if (operation != 0) {
            ended = seatlock_client_wait(client, operation, 60000, NULL);
            REQUIRE(ended != SEATLOCK_PENDING);
        }
        REQUIRE(seatlock_client_status(client, &status) == SEATLOCK_OK);
        printf("%s: %s (%s)\n", seatlock_code_name(ended), status.state == SEATLOCK_STATE_LOCKED ? "locked" : "licensed",
               seatlock_code_name(status.reason));
        fflush(stdout);
    }
    seatlock_client_close(client, 60000);
    seatlock_options_free(options);
    return 0;
}
