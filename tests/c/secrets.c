/*
 * A host whose memory is dumped: once while a client is open, and once after it was closed. It reads the token from its
 * standard input into one buffer and wipes that, so what is left of the token is the library's.
 *
 * usage: secrets SERVER ROOT-KEY STATE-FOLDER. Says "open" and "closed", and after each waits for a letter.
 */
#include "common.h"

#include <string.h>
#include <unistd.h>

static void say_and_wait(const char *word)
{
    char letter;
    /* Not stdio, which would read ahead. */
    REQUIRE(write(1, word, strlen(word)) > 0 && read(0, &letter, 1) == 1);
}

static void finish(seatlock_client *client, uint64_t operation)
{
    REQUIRE(seatlock_client_wait(client, operation, 60000, NULL) == SEATLOCK_OK);
}

int main(int argc, char **argv)
{
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    uint64_t operation = 0;
    char token[64];
    volatile char *secret = token;
    ssize_t length;

    REQUIRE(argc == 4);
    REQUIRE(seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_server(options, argv[1], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_add_root_key(options, argv[2], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, argv[3], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_proxy(options, "", NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);

    length = read(0, token, sizeof token - 1);
    REQUIRE(length == 40);
    token[length] = '\0';
    REQUIRE(seatlock_client_activate(client, token, SEATLOCK_CONSENT_TERMS | SEATLOCK_CONSENT_REMEMBER, &operation,
                                     NULL) == SEATLOCK_OK);
    for (size_t i = 0; i < sizeof token; i++)
        secret[i] = 0;
    finish(client, operation);
    REQUIRE(seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, &operation, NULL) == SEATLOCK_OK);
    finish(client, operation);

    say_and_wait("open\n");
    seatlock_client_close(client, 10000);
    seatlock_options_free(options);
    say_and_wait("closed\n");
    return 0;
}
