/*
 * Loading the library starts no thread, and opens no file and no socket that stays open. Opening a client starts one
 * thread; closing it ends that.
 *
 *     load LIBRARY STATE_FOLDER
 */
#define _GNU_SOURCE
#include "common.h"

#include <dlfcn.h>
#include <unistd.h>

#define FIND(name) __typeof__(&name) p_##name = (__typeof__(&name))(intptr_t)dlsym(library, #name)

/* The kernel lists a thread for a moment after it was joined. */
static long threads_in_the_end(long expected)
{
    for (int tries = 0; tries < 200 && entries("/proc/self/task") != expected; tries++)
        usleep(10000);
    return entries("/proc/self/task");
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3);
    long threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(library != NULL);
    REQUIRE(entries("/proc/self/task") == threads);
    REQUIRE(entries("/proc/self/fd") == descriptors);

    FIND(seatlock_options_new);
    FIND(seatlock_options_free);
    FIND(seatlock_options_set_product);
    FIND(seatlock_options_set_server);
    FIND(seatlock_options_set_machine_id);
    FIND(seatlock_options_set_state_folder);
    FIND(seatlock_options_add_root_key);
    FIND(seatlock_client_open);
    FIND(seatlock_client_close);
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    REQUIRE(p_seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_server(options, NOBODY, NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_state_folder(options, argv[2], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_add_root_key(options, ROOT_KEY, NULL) == SEATLOCK_OK);
    REQUIRE(entries("/proc/self/task") == threads);
    REQUIRE(entries("/proc/self/fd") == descriptors);

    REQUIRE(p_seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    REQUIRE(entries("/proc/self/task") == threads + 1);
    REQUIRE(p_seatlock_client_close(client, 5000) == SEATLOCK_OK);
    p_seatlock_options_free(options);
    REQUIRE(threads_in_the_end(threads) == threads);
    REQUIRE(entries("/proc/self/fd") == descriptors);
    return 0;
}
