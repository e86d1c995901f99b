/* Shared by the C test programs. */
#ifndef SEATLOCK_TEST_COMMON_H
#define SEATLOCK_TEST_COMMON_H

#include <seatlock.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define PRODUCT "com.example.bridge"
/* A valid public key (RFC 8032, first test vector) whose secret half signs nothing here. */
#define ROOT_KEY "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
/* A well-formed token that no server knows. */
#define TOKEN "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs"
/* Port 9, "discard", is closed practically everywhere, so connections are refused at once. */
#define NOBODY "http://127.0.0.1:9"
#define MACHINE "a-test-machine-of-ours"

#define REQUIRE(condition)                                                                                            \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                   \
            exit(1);                                                                                                  \
        }                                                                                                             \
    } while (0)

/* Options for a client that keeps its state below a folder. The caller frees them. */
static inline seatlock_options *options_in(const char *folder)
{
    seatlock_options *options = NULL;
    REQUIRE(seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_server(options, NOBODY, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_add_root_key(options, ROOT_KEY, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, folder, NULL) == SEATLOCK_OK);
    return options;
}

/* What a folder holds, such as /proc/self/task. */
static inline long entries(const char *folder)
{
    long count = -2; /* "." and ".." */
    DIR *open = opendir(folder);
    REQUIRE(open != NULL);
    while (readdir(open) != NULL)
        count++;
    closedir(open);
    return count;
}

#endif
