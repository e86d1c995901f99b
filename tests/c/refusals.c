/*
 * An operating system that refuses: descriptors, sockets, threads, memory, each at each first use. What was about to be
 * done has failed, with words that say why; the license stays, and the next try succeeds.
 *
 *     refusals SERVER_PORT ISSUER ROOT_KEY STATE_FOLDER PROVIDER ACCOUNT_FOLDER < token
 *
 * The functions of the C library that the library under test calls are found in this program first.
 */
#define _GNU_SOURCE
#include "common.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum kind { NOTHING, FILES, SOCKETS, POLLS, THREADS, MEMORY, DESCRIPTORS } kind;

static const char *const kinds[] = {"nothing", "files", "sockets", "polls", "threads", "memory", "descriptors"};

#define MANY_HERE "The host application has too many files open"
#define MANY_ALL "This computer has too many files open"
#define NO_MEMORY "This computer has no memory or threads left"

/* What is refused now, with which error, and how many calls pass before. */
static atomic_int refused, error_number, pass;

static bool refuses(kind asked)
{
    if (atomic_load(&refused) != (int)asked || atomic_fetch_sub(&pass, 1) > 0)
        return false;
    errno = atomic_load(&error_number);
    return true;
}

/* POSIX promises that a function's address survives the way through void *. */
#define REAL(name) (*(__typeof__(&name) *)next(#name))

static void *next(const char *name)
{
    static _Thread_local void *found;
    found = dlsym(RTLD_NEXT, name);
    REQUIRE(found != NULL);
    return &found;
}

int socket(int domain, int type, int protocol)
{
    return refuses(SOCKETS) ? -1 : REAL(socket)(domain, type, protocol);
}

int epoll_create1(int flags)
{
    return refuses(POLLS) ? -1 : REAL(epoll_create1)(flags);
}

int eventfd(unsigned int value, int flags)
{
    return refuses(POLLS) ? -1 : REAL(eventfd)(value, flags);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return refuses(FILES) ? -1 : REAL(open64)(path, flags, mode);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument)
{
    return refuses(THREADS) ? errno : REAL(pthread_create)(thread, attributes, routine, argument);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    return refuses(MEMORY) ? MAP_FAILED : REAL(mmap)(address, length, protection, flags, file, offset);
}

static struct rlimit usual;

/* Descriptors that would be free. */
#define MOST_TAKEN 16
static int taken_ones[MOST_TAKEN], taken;

static void refuse(kind what, int number, int after)
{
    if (what == DESCRIPTORS) {
        /* The lowest number that is free, so there is none below it. */
        int lowest = dup(0);
        REQUIRE(lowest >= 0 && close(lowest) == 0);
        struct rlimit none = {(rlim_t)lowest, usual.rlim_max};
        REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
        /* What a thread of the library had just open, and closes, is taken too. */
        for (int round = 0; round < 100; round++) {
            int freed = dup(0);
            if (freed >= 0 && taken < MOST_TAKEN)
                taken_ones[taken++] = freed;
            usleep(1000);
        }
        return;
    }
    atomic_store(&error_number, number);
    atomic_store(&pass, after);
    atomic_store(&refused, (int)what);
}

static void allow(void)
{
    atomic_store(&refused, NOTHING);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &usual) == 0);
    while (taken > 0)
        close(taken_ones[--taken]);
}

static char token[128];
static char **arguments;
static int wrong;

static void check(bool good, const char *what, kind refusal, int number, int after, int32_t code, const char *said)
{
    wrong += !good;
    printf("%s %s, %s %d after %d: %s, %s\n", good ? "ok   " : "WRONG", what, kinds[refusal], number, after,
           seatlock_code_name(code), said);
}

static seatlock_options *options_for(const char *host, const char *folder)
{
    char server[128];
    seatlock_options *options = NULL;
    snprintf(server, sizeof server, "http://%s:%s", host, arguments[1]);
    REQUIRE(seatlock_options_new(&options) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_server(options, server, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_license_issuer(options, arguments[2], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_add_root_key(options, arguments[3], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_state_folder(options, folder, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_oidc_issuer(options, arguments[5], NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_client_id(options, "plugin", NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_options_set_account_folder(options, arguments[6], NULL) == SEATLOCK_OK);
    return options;
}

static seatlock_client *open_at(const char *host, const char *folder)
{
    seatlock_client *client = NULL;
    seatlock_options *options = options_for(host, folder);
    REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    seatlock_options_free(options);
    return client;
}

static bool licensed(const seatlock_client *client)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    return seatlock_client_status(client, &status) == SEATLOCK_OK && status.state != SEATLOCK_STATE_LOCKED;
}

static seatlock_event end_of(seatlock_client *client, uint64_t operation)
{
    seatlock_event event = SEATLOCK_EVENT_INIT;
    int32_t code = seatlock_client_wait(client, operation, 60000, &event);
    REQUIRE(event.operation == operation && event.code == code);
    return event;
}

static seatlock_event ping(seatlock_client *client)
{
    uint64_t operation = 0;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    event.code = seatlock_client_ping(client, SEATLOCK_INTENT_LAUNCH, &operation, NULL);
    return event.code == SEATLOCK_OK ? end_of(client, operation) : event;
}

static seatlock_event activate(seatlock_client *client)
{
    uint64_t operation = 0;
    uint32_t consent = (uint32_t)SEATLOCK_CONSENT_TERMS | (uint32_t)SEATLOCK_CONSENT_REMEMBER;
    REQUIRE(seatlock_client_activate(client, token, consent, &operation, NULL) == SEATLOCK_OK);
    return end_of(client, operation);
}

/* Opening fails in words, or gives the license that is there. */
static void opening(kind what, int number, int after, const char *words)
{
    seatlock_client *client = NULL;
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_options *options = options_for("127.0.0.1", arguments[4]);
    refuse(what, number, after);
    int32_t code = seatlock_client_open(options, &client, &error);
    bool whole = client != NULL && licensed(client);
    allow();
    bool said = code == SEATLOCK_ERROR_INTERNAL && strstr(error.message, words) == error.message;
    check(client == NULL ? said : whole && after > 0, "open", what, number, after, code, error.message);
    if (client == NULL)
        REQUIRE(seatlock_client_open(options, &client, NULL) == SEATLOCK_OK);
    check(licensed(client), "open, later", what, number, after, SEATLOCK_OK, "");
    seatlock_client_close(client, 20000);
    seatlock_options_free(options);
}

/* The first use of the network, and a later one, for which a thread is still there. */
static void network(const char *host, kind what, int number, const char *words)
{
    seatlock_client *client = open_at(host, arguments[4]);
    uint64_t operation = 0;
    for (int use = 0; use < (what == THREADS ? 1 : 2); use++) {
        /* The worker is idle once it has answered something that needs neither disk nor network. */
        REQUIRE(seatlock_client_ping(client, SEATLOCK_INTENT_RENEW, &operation, NULL) == SEATLOCK_OK);
        REQUIRE(end_of(client, operation).code == SEATLOCK_OK);
        refuse(what, number, 0);
        seatlock_event event = ping(client);
        bool stays = licensed(client);
        allow();
        bool said = event.code == SEATLOCK_ERROR_UNREACHABLE && strstr(event.message, words) != NULL;
        check(said && stays, use == 0 ? "first ping" : "ping", what, number, 0, event.code, event.message);
        event = ping(client);
        check(event.code == SEATLOCK_OK && licensed(client), "ping, later", what, number, 0, event.code, event.message);
    }
    seatlock_client_close(client, 20000);
}

/* What cannot be written is written later. */
static void save(kind what, int number, int after)
{
    static int count;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s-save-%d", arguments[4], count++);
    seatlock_client *client = open_at("127.0.0.1", folder);
    refuse(what, number, after);
    seatlock_event event = activate(client);
    bool has = licensed(client);
    allow();
    check(event.code == SEATLOCK_OK && has, "save", what, number, after, event.code, event.message);
    event = ping(client);
    seatlock_client_close(client, 20000);
    client = open_at("127.0.0.1", folder);
    check(event.code == SEATLOCK_OK && licensed(client), "save, later", what, number, after, event.code, event.message);
    event = ping(client);
    check(event.code == SEATLOCK_OK, "token, later", what, number, after, event.code, event.message);
    seatlock_client_close(client, 20000);
}

/* While it cannot be said what lies on disk, nothing is given up, here or at the server. */
static void release(kind what, int number, int after)
{
    seatlock_client *client = open_at("127.0.0.1", arguments[4]);
    uint64_t operation = 0;
    refuse(what, number, after);
    REQUIRE(seatlock_client_release(client, &operation, NULL) == SEATLOCK_OK);
    seatlock_event event = end_of(client, operation);
    bool stays = licensed(client);
    allow();
    check(event.code == SEATLOCK_ERROR_STORE_UNWRITABLE && stays, "release", what, number, after, event.code, event.message);
    event = ping(client);
    check(event.code == SEATLOCK_OK && licensed(client), "ping, later", what, number, after, event.code, event.message);
    seatlock_client_close(client, 20000);
}

static uint64_t begin_sign_in(seatlock_client *client, bool device)
{
    uint64_t operation = 0;
    int32_t code = device ? seatlock_client_sign_in_device(client, SEATLOCK_CONSENT_TERMS, 60000, &operation, NULL)
                          : seatlock_client_sign_in_browser(client, SEATLOCK_CONSENT_TERMS, 0, 60000, &operation, NULL);
    REQUIRE(code == SEATLOCK_OK);
    return operation;
}

static void sign_in(bool device, kind what, int number, int after, const char *words)
{
    const char *name = device ? "sign in by device" : "sign in by browser";
    seatlock_client *client = open_at("127.0.0.1", arguments[4]);
    seatlock_event event = SEATLOCK_EVENT_INIT;
    while (seatlock_client_next_event(client, 0, &event) == SEATLOCK_OK)
        continue;
    refuse(what, number, after);
    event = end_of(client, begin_sign_in(client, device));
    bool stays = licensed(client);
    allow();
    bool said = event.code == SEATLOCK_ERROR_IDENTITY_PROVIDER_UNAVAILABLE && strstr(event.message, words) != NULL;
    check(said && stays, name, what, number, after, event.code, event.message);
    uint64_t operation = begin_sign_in(client, device);
    REQUIRE(seatlock_client_next_event(client, 60000, &event) == SEATLOCK_OK);
    check(event.kind == SEATLOCK_EVENT_SIGN_IN, "sign in, later", what, number, after, event.code, event.message);
    seatlock_client_cancel(client, operation);
    seatlock_client_close(client, 20000);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 7 && fgets(token, sizeof token, stdin) != NULL);
    token[strcspn(token, "\n")] = '\0';
    arguments = argv;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &usual) == 0);
    seatlock_client *client = open_at("127.0.0.1", argv[4]);
    seatlock_event event = activate(client);
    REQUIRE(event.code == SEATLOCK_OK && licensed(client));
    seatlock_client_close(client, 20000);

    opening(DESCRIPTORS, EMFILE, 0, MANY_HERE);
    opening(FILES, ENFILE, 0, MANY_ALL);
    opening(FILES, ENOMEM, 0, NO_MEMORY);
    opening(POLLS, ENOMEM, 0, NO_MEMORY);
    opening(THREADS, EAGAIN, 0, NO_MEMORY);
    for (int after = 0; after < 8; after++) {
        opening(FILES, EMFILE, after, MANY_HERE);
        opening(POLLS, EMFILE, after, MANY_HERE);
    }
    network("127.0.0.1", DESCRIPTORS, EMFILE, MANY_HERE);
    network("127.0.0.1", SOCKETS, EMFILE, MANY_HERE);
    network("127.0.0.1", SOCKETS, ENFILE, MANY_ALL);
    network("127.0.0.1", SOCKETS, ENOBUFS, NO_MEMORY);
    network("localhost", THREADS, EAGAIN, NO_MEMORY);
    network("localhost", DESCRIPTORS, EMFILE, MANY_HERE);
    for (int after = 0; after < 8; after++)
        save(FILES, EMFILE, after);
    save(FILES, ENFILE, 0);
    for (int after = 0; after < 4; after++)
        release(FILES, EMFILE, after);
    save(THREADS, EAGAIN, 0);
    for (int device = 0; device < 2; device++) {
        sign_in(device, SOCKETS, EMFILE, 0, MANY_HERE);
        sign_in(device, SOCKETS, EMFILE, 1, MANY_HERE);
        sign_in(device, SOCKETS, ENOBUFS, 1, NO_MEMORY);
    }
    printf("%d wrong\n", wrong);
    return wrong != 0;
}
