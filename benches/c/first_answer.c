/*
 * The first answer of a fresh process, without a server.
 *
 *     first_answer RUNS EMPTY_LIBRARY LIBRARY SERVER ROOT_KEY MACHINE STATE_FOLDER
 *
 * starts itself RUNS times with a library that does nothing and as often with the real one, in turns, and prints
 * lines of a name and nanoseconds. The clock is the same in every process, so a child can be handed its beginning.
 */
#define _GNU_SOURCE
#include "host.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS = 1, EMPTY, LIBRARY, SERVER, ROOT_KEY, MACHINE, STATE_FOLDER, ARGUMENTS };

#define FIND(library, name) __typeof__(&name) p_##name = (__typeof__(&name))(intptr_t)dlsym(library, #name)

static void child_of_empty(int64_t begin, char **argv)
{
    int64_t started = now_ns();
    REQUIRE(dlopen(argv[EMPTY], RTLD_NOW | RTLD_LOCAL) != NULL);
    int64_t loaded = now_ns();
    printf("empty_load %lld\n", (long long)(loaded - started));
    printf("empty_process %lld\n", (long long)(loaded - begin));
}

static void child(int64_t begin, char **argv)
{
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_status status = SEATLOCK_STATUS_INIT;

    int64_t started = now_ns();
    void *library = dlopen(argv[LIBRARY], RTLD_NOW | RTLD_LOCAL);
    REQUIRE(library != NULL);
    int64_t loaded = now_ns();
    FIND(library, seatlock_options_new);
    FIND(library, seatlock_options_set_product);
    FIND(library, seatlock_options_set_server);
    FIND(library, seatlock_options_add_root_key);
    FIND(library, seatlock_options_set_machine_id);
    FIND(library, seatlock_options_set_state_folder);
    FIND(library, seatlock_client_open);
    FIND(library, seatlock_client_status);
    FIND(library, seatlock_client_close);
    REQUIRE(p_seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_server(options, argv[SERVER], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_add_root_key(options, argv[ROOT_KEY], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_machine_id(options, argv[MACHINE], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_state_folder(options, argv[STATE_FOLDER], NULL) == SEATLOCK_OK);
    int64_t set = now_ns();
    REQUIRE(p_seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    int64_t opened = now_ns();
    REQUIRE(p_seatlock_client_status(client, &status) == SEATLOCK_OK);
    int64_t answered = now_ns();

    REQUIRE(status.state == SEATLOCK_STATE_UNLOCKED || status.state == SEATLOCK_STATE_GRACE);
    printf("load %lld\nset_options %lld\n", (long long)(loaded - started), (long long)(set - loaded));
    printf("open %lld\nanswer %lld\n", (long long)(opened - set), (long long)(answered - started));
    printf("process_answer %lld\n", (long long)(answered - begin));
    /* The worker counts the launch on disk meanwhile; closing waits for that. */
    REQUIRE(p_seatlock_client_close(client, 5000) == SEATLOCK_OK);
}

static void run(const char *name, char **argv)
{
    char begin[32];
    fflush(stdout);
    int64_t started = now_ns();
    snprintf(begin, sizeof begin, "%lld", (long long)started);
    pid_t process = vfork();
    if (process == 0) {
        execl("/proc/self/exe", name, begin, argv[EMPTY], argv[LIBRARY], argv[SERVER], argv[ROOT_KEY], argv[MACHINE],
              argv[STATE_FOLDER], (char *)NULL);
        _exit(127);
    }
    int status = 0;
    REQUIRE(process > 0 && waitpid(process, &status, 0) == process && status == 0);
    printf("%s_whole %lld\n", name, (long long)(now_ns() - started));
}

int main(int argc, char **argv)
{
    REQUIRE(argc == ARGUMENTS);
    long long number = strtoll(argv[RUNS], NULL, 10);
    if (strcmp(argv[0], "empty") == 0)
        child_of_empty(number, argv);
    else if (strcmp(argv[0], "process") == 0)
        child(number, argv);
    else
        for (long long round = 0; round < number; round++) {
            run("empty", argv);
            run("process", argv);
        }
    return 0;
}
