/*
 * A plug-in's first moments in a fresh process, with the library of one vendor or another.
 *
 *     host warm|cold LIBRARY load
 *     host warm|cold LIBRARY seatlock SERVER ROOT_KEY MACHINE STATE_FOLDER [TOKEN]
 *     host warm|cold LIBRARY seatlock-machine
 *     host warm|cold LIBRARY keygen PUBLIC_KEY SIGNED_KEY
 *     host warm|cold LIBRARY lexactivator STATE_FOLDER
 *     host warm|cold LIBRARY lexactivator-machine STATE_FOLDER
 *
 * Prints lines of a name and a number: nanoseconds, KiB, or how many. "cold" asks the kernel to forget the file first.
 */
#define _GNU_SOURCE
#include "../c/host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { HEAT = 1, LIBRARY, KIND, FIRST };
enum { CALLS = 2000 };

#define FIND(library, name) __typeof__(&name) p_##name = (__typeof__(&name))(intptr_t)dlsym(library, #name)

static void *found(void *library, const char *name)
{
    void *function = dlsym(library, name);
    REQUIRE(function != NULL);
    return function;
}

/* KiB that /proc/self/smaps_rollup names so. */
static long memory(const char *name)
{
    char line[256];
    long found = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    REQUIRE(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            found = strtol(line + strlen(name), NULL, 10);
    fclose(file);
    return found;
}

static int entries(const char *folder)
{
    int count = 0;
    DIR *opened = opendir(folder);
    REQUIRE(opened != NULL);
    while (readdir(opened) != NULL)
        count++;
    closedir(opened);
    return count;
}

static void forget(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(file >= 0 && posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    close(file);
}

static void print(const char *name, int64_t number)
{
    printf("%s %lld\n", name, (long long)number);
}

static void seatlock(void *library, int64_t loaded, char **argv)
{
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_status status = SEATLOCK_STATUS_INIT;
    FIND(library, seatlock_options_new);
    FIND(library, seatlock_options_set_product);
    FIND(library, seatlock_options_set_server);
    FIND(library, seatlock_options_add_root_key);
    FIND(library, seatlock_options_set_machine_id);
    FIND(library, seatlock_options_set_state_folder);
    FIND(library, seatlock_options_set_terms);
    FIND(library, seatlock_client_open);
    FIND(library, seatlock_client_activate);
    FIND(library, seatlock_client_wait);
    FIND(library, seatlock_client_status);
    FIND(library, seatlock_client_close);

    int64_t begin = now_ns();
    REQUIRE(p_seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_server(options, argv[0], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_add_root_key(options, argv[1], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_machine_id(options, argv[2], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_state_folder(options, argv[3], NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_options_set_terms(options, TERMS, NULL) == SEATLOCK_OK);
    REQUIRE(p_seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    if (argv[4] != NULL) {
        uint64_t operation = 0;
        seatlock_event event = SEATLOCK_EVENT_INIT;
        uint32_t consent = SEATLOCK_CONSENT_TERMS | SEATLOCK_CONSENT_REMEMBER;
        REQUIRE(p_seatlock_client_activate(client, argv[4], consent, &operation, NULL) == SEATLOCK_OK);
        REQUIRE(p_seatlock_client_wait(client, operation, 20000, &event) == SEATLOCK_OK);
    }
    REQUIRE(p_seatlock_client_status(client, &status) == SEATLOCK_OK);
    print("answer", loaded + now_ns() - begin);
    REQUIRE(status.state == SEATLOCK_STATE_UNLOCKED || status.state == SEATLOCK_STATE_GRACE);

    begin = now_ns();
    for (int call = 0; call < CALLS; call++)
        REQUIRE(p_seatlock_client_status(client, &status) == SEATLOCK_OK);
    print("status", (now_ns() - begin) / CALLS);
    print("threads_open", entries("/proc/self/task") - 3);
    /* The worker counts the launch on disk meanwhile; closing waits for that. */
    REQUIRE(p_seatlock_client_close(client, 5000) == SEATLOCK_OK);
}

static void seatlock_machine(void *library)
{
    char id[64];
    FIND(library, seatlock_machine_id);
    int64_t begin = now_ns();
    REQUIRE(p_seatlock_machine_id(PRODUCT, NULL, id, sizeof id, NULL, NULL) == SEATLOCK_OK);
    print("machine", now_ns() - begin);
}

/* benches/peers/keygen: a signed license key that keygen-rs verifies. */
static void keygen(void *library, int64_t loaded, char **argv)
{
    int (*verify)(const char *, const char *);
    *(void **)&verify = found(library, "keygen_verify");
    int64_t begin = now_ns();
    REQUIRE(verify(argv[0], argv[1]) == 0);
    print("answer", loaded + now_ns() - begin);
    begin = now_ns();
    for (int call = 0; call < CALLS / 10; call++)
        REQUIRE(verify(argv[0], argv[1]) == 0);
    print("check", (now_ns() - begin) / (CALLS / 10));
}

/* Without an account at the vendor's there is no license: it answers that there is none, and verifies nothing. */
static void lexactivator(void *library, int64_t loaded, char **argv, int machine)
{
    int (*set_folder)(const char *), (*set_product)(const char *, uint32_t), (*set_key)(const char *);
    int (*is_valid)(void), (*activate)(void);
    *(void **)&set_folder = found(library, "SetDataDirectory");
    *(void **)&set_product = found(library, "SetProductId");
    *(void **)&set_key = found(library, "SetLicenseKey");
    *(void **)&is_valid = found(library, "IsLicenseValid");
    *(void **)&activate = found(library, "ActivateLicense");
    int64_t begin = now_ns();
    set_folder(argv[0]);
    set_product("6c3f3c4e-1b1a-4c5e-9f43-c5d7a2c1e9a4", 1);
    set_key("ABCDEF-ABCDEF-ABCDEF-ABCDEF-ABCDEF-ABCDEF");
    REQUIRE(is_valid() != 0);
    print("answer", loaded + now_ns() - begin);
    if (machine) {
        /* It reads what identifies the computer, and ends for want of a product, before any request. */
        begin = now_ns();
        REQUIRE(activate() != 0);
        print("machine", now_ns() - begin);
        return;
    }
    begin = now_ns();
    for (int call = 0; call < CALLS / 10; call++)
        REQUIRE(is_valid() != 0);
    print("status", (now_ns() - begin) / (CALLS / 10));
}

int main(int argc, char **argv)
{
    REQUIRE(argc > KIND);
    if (strcmp(argv[HEAT], "cold") == 0)
        forget(argv[LIBRARY]);
    long resident = memory("Rss:"), dirty = memory("Private_Dirty:");
    int threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd");

    int64_t begin = now_ns();
    void *library = dlopen(argv[LIBRARY], RTLD_NOW | RTLD_LOCAL);
    int64_t loaded = now_ns() - begin;
    if (library == NULL)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(library != NULL);

    print("load", loaded);
    print("resident", memory("Rss:") - resident);
    print("dirty", memory("Private_Dirty:") - dirty);
    print("threads", entries("/proc/self/task") - threads);
    print("descriptors", entries("/proc/self/fd") - descriptors);
    char **rest = argv + FIRST;
    if (strcmp(argv[KIND], "seatlock") == 0)
        seatlock(library, loaded, rest);
    else if (strcmp(argv[KIND], "seatlock-machine") == 0)
        seatlock_machine(library);
    else if (strcmp(argv[KIND], "keygen") == 0)
        keygen(library, loaded, rest);
    else if (strncmp(argv[KIND], "lexactivator", strlen("lexactivator")) == 0)
        lexactivator(library, loaded, rest, strcmp(argv[KIND], "lexactivator-machine") == 0);
    else
        REQUIRE(strcmp(argv[KIND], "load") == 0);
    return 0;
}
