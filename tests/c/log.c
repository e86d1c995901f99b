/*
 * What the log function is told, where it is called, and a host whose function blocks, or ends the thread that it is
 * called on.
 *
 *     log exit|cancel|return STATE_FOLDER
 */
#define _POSIX_C_SOURCE 200809L
#include "clock.h"
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { ROUNDS = 20, CLOSE_MS = 20000, MOST = 4000, LONGEST = 1000 };

typedef struct host {
    enum { EXIT, CANCEL, RETURN } how;
    seatlock_client *client;
    seatlock_log_level most;
    pthread_t main_thread, first_thread;
    /* How long the function blocks at its first line. */
    long pause_ms;
    atomic_int count, inside;
    char lines[MOST][LONGEST];
} host;

static void SEATLOCK_CALL note(seatlock_client *client, seatlock_log_level level, const char *text, void *context)
{
    host *called = context;
    int count = atomic_load(&called->count);
    /* One call at a time, none before the client is known, and none inside a call of the host. */
    REQUIRE(atomic_fetch_add(&called->inside, 1) == 0);
    REQUIRE(client != NULL && client == called->client);
    REQUIRE(!pthread_equal(pthread_self(), called->main_thread));
    if (count == 0)
        called->first_thread = pthread_self();
    REQUIRE(called->how != RETURN || pthread_equal(pthread_self(), called->first_thread));
    REQUIRE(level >= SEATLOCK_LOG_ERROR && level <= called->most);
    REQUIRE(strpbrk(text, "\r\n") == NULL && count < MOST && strlen(text) < LONGEST);
    strcpy(called->lines[count], text);
    if (called->pause_ms > 0)
        pause_ms(called->pause_ms);
    atomic_fetch_sub(&called->inside, 1);
    atomic_fetch_add(&called->count, 1);
    if (called->how == EXIT)
        pthread_exit(NULL);
    if (called->how == CANCEL) {
        REQUIRE(pthread_cancel(pthread_self()) == 0);
        pthread_testcancel();
    }
}

static void open_client(host *called, seatlock_log_level most, const char *folder)
{
    seatlock_options *options = options_in(folder);
    called->client = NULL;
    called->most = most;
    atomic_store(&called->count, 0);
    REQUIRE(seatlock_options_set_log(options, note, most, called, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_open(options, &called->client, NULL) == SEATLOCK_OK);
    seatlock_options_free(options);
}

static void fails_to_activate(host *called)
{
    uint64_t operation = 0;
    seatlock_client *client = called->client;
    REQUIRE(seatlock_client_activate(client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) == SEATLOCK_OK);
    REQUIRE(seatlock_client_wait(client, operation, 60000, NULL) == SEATLOCK_ERROR_UNREACHABLE);
}

static int lines_with(const host *called, const char *begin, const char *part)
{
    int found = 0;
    for (int number = 0; number < atomic_load(&called->count); number++) {
        const char *line = called->lines[number];
        REQUIRE(strstr(line, "8uVq2ZtYw0") == NULL);
        found += strncmp(line, begin, strlen(begin)) == 0 && strstr(line, part) != NULL;
    }
    return found;
}

static long threads_in_the_end(long expected)
{
    for (int tries = 0; tries < 400 && entries("/proc/self/task") != expected; tries++)
        pause_ms(5);
    return entries("/proc/self/task");
}

/* From the first line to the last, also where each ends its thread. */
static void tells_everything(host *called, const char *folder)
{
    long threads = entries("/proc/self/task");
    for (int round = 0; round < ROUNDS; round++) {
        open_client(called, SEATLOCK_LOG_DEBUG, folder);
        fails_to_activate(called);
        REQUIRE(seatlock_client_close(called->client, CLOSE_MS) == SEATLOCK_OK);
        int count = atomic_load(&called->count);
        REQUIRE(lines_with(called, "opened ", " product=" PRODUCT " ") == 1);
        REQUIRE(lines_with(called, "proxy ", "none (loopback)") == 1);
        REQUIRE(lines_with(called, "begin ", "operation=1 what=activate") == 1);
        REQUIRE(lines_with(called, "request ", " to=" NOBODY " code=unreachable ms=") == 1);
        REQUIRE(lines_with(called, "request ", " reason=net_refused") == 1);
        REQUIRE(lines_with(called, "end ", "operation=1 code=unreachable") == 1);
        REQUIRE(strcmp(called->lines[count - 1], "closed") == 0);
        REQUIRE(threads_in_the_end(threads) == threads);
        REQUIRE(atomic_load(&called->count) == count);
    }
}

static void tells_what_matters(host *called, const char *folder)
{
    open_client(called, SEATLOCK_LOG_WARNING, folder);
    fails_to_activate(called);
    REQUIRE(seatlock_client_close(called->client, CLOSE_MS) == SEATLOCK_OK);
    REQUIRE(lines_with(called, "request ", "unreachable") == 1 && lines_with(called, "end ", "unreachable") == 1);
    REQUIRE(atomic_load(&called->count) == 2);
    open_client(called, SEATLOCK_LOG_ERROR, folder);
    fails_to_activate(called);
    REQUIRE(seatlock_client_close(called->client, CLOSE_MS) == SEATLOCK_OK);
    REQUIRE(atomic_load(&called->count) == 0);
}

/* Work goes on meanwhile. Closing waits as long as it was told, says so, and nothing is told afterwards. */
static void blocks_while_closing(host *called, const char *folder)
{
    open_client(called, SEATLOCK_LOG_DEBUG, folder);
    called->pause_ms = 1500;
    fails_to_activate(called);
    for (int tries = 0; tries < 2000 && atomic_load(&called->inside) == 0; tries++)
        pause_ms(1);
    double before = seconds();
    REQUIRE(seatlock_client_close(called->client, 50) == SEATLOCK_STILL_RUNNING);
    REQUIRE(seconds() - before < 1.0);
    REQUIRE(seatlock_client_close(called->client, 0) == SEATLOCK_ERROR_CLOSED);
    int count = atomic_load(&called->count);
    for (int tries = 0; tries < 4000 && atomic_load(&called->inside) != 0; tries++)
        pause_ms(1);
    pause_ms(100);
    REQUIRE(atomic_load(&called->count) == count + 1);
    called->pause_ms = 0;
}

int main(int argc, char **argv)
{
    static host called;
    REQUIRE(argc == 3);
    called.main_thread = pthread_self();
    called.how = strcmp(argv[1], "exit") == 0 ? EXIT : strcmp(argv[1], "cancel") == 0 ? CANCEL : RETURN;
    tells_everything(&called, argv[2]);
    tells_what_matters(&called, argv[2]);
    blocks_while_closing(&called, argv[2]);
    printf("%s: %d clients told everything, and one was closed while the function blocked\n", argv[1], ROUNDS);
    return 0;
}
