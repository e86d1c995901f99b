/*
 * A host that loads and unloads its plug-in again and again: load the library, open a client, use it from threads
 * of several lifetimes, close it, unload the library. Afterwards the process must have as many threads, file
 * descriptors and memory mappings as before.
 *
 *     lifecycle LIBRARY ROUNDS STATE_FOLDER SERVER
 */
#define _GNU_SOURCE
#include "common.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Rounds before the first count, and how many mappings the heap may grow by: one leaked in each round is thousands. */
enum { WARM_UP = 20, MAPPINGS_MORE = 8 };

typedef struct functions {
    __typeof__(&seatlock_options_new) options_new;
    __typeof__(&seatlock_options_free) options_free;
    __typeof__(&seatlock_options_set_product) set_product;
    __typeof__(&seatlock_options_set_server) set_server;
    __typeof__(&seatlock_options_set_machine_id) set_machine_id;
    __typeof__(&seatlock_options_set_state_folder) set_state_folder;
    __typeof__(&seatlock_options_add_root_key) add_root_key;
    __typeof__(&seatlock_client_open) open;
    __typeof__(&seatlock_client_close) close;
    __typeof__(&seatlock_client_status) status;
    __typeof__(&seatlock_client_text) text;
    __typeof__(&seatlock_client_next_event) next_event;
    __typeof__(&seatlock_client_activate) activate;
    __typeof__(&seatlock_client_wait) wait;
} functions;

typedef struct counts {
    long threads, descriptors, mappings;
} counts;

/* What the threads of a round work with. */
typedef struct round_data {
    const functions *library;
    seatlock_client *client;
} round_data;

static round_data shared;
static sem_t begin, done; /* one round of the long-lived thread */
static sem_t used, unloaded; /* of the late thread */

static long lines(const char *path)
{
    long count = 0;
    int c;
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL);
    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

static counts count(void)
{
    return (counts){entries("/proc/self/task"), entries("/proc/self/fd"), lines("/proc/self/maps")};
}

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (found == NULL)
        fprintf(stderr, "%s is missing\n", name);
    REQUIRE(found != NULL);
    return found;
}

/* POSIX promises that a function's address survives the way through void *. */
#define FIND(member, name) *(void **)(&f.member) = symbol(library, name)

static functions find(void *library)
{
    functions f;
    FIND(options_new, "seatlock_options_new");
    FIND(options_free, "seatlock_options_free");
    FIND(set_product, "seatlock_options_set_product");
    FIND(set_server, "seatlock_options_set_server");
    FIND(set_machine_id, "seatlock_options_set_machine_id");
    FIND(set_state_folder, "seatlock_options_set_state_folder");
    FIND(add_root_key, "seatlock_options_add_root_key");
    FIND(open, "seatlock_client_open");
    FIND(close, "seatlock_client_close");
    FIND(status, "seatlock_client_status");
    FIND(text, "seatlock_client_text");
    FIND(next_event, "seatlock_client_next_event");
    FIND(activate, "seatlock_client_activate");
    FIND(wait, "seatlock_client_wait");
    return f;
}

static void use(const round_data *with)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    char id[64];
    REQUIRE(with->library->status(with->client, &status) == SEATLOCK_OK);
    REQUIRE(status.state == SEATLOCK_STATE_LOCKED);
    REQUIRE(with->library->text(with->client, SEATLOCK_TEXT_MACHINE_ID, id, sizeof id, NULL) == SEATLOCK_OK);
    REQUIRE(strncmp(id, "m1_", 3) == 0 && strlen(id) == 46);
}

/* Gone before the client is closed. */
static void *short_lived(void *unused)
{
    use(&shared);
    return unused;
}

/* Uses the library and exits after it was unloaded, which crashes a library that leaves destructors behind. */
static void *late(void *unused)
{
    use(&shared);
    sem_post(&used);
    sem_wait(&unloaded);
    return unused;
}

/* Uses the library in every round, as the host's own threads do. */
static void *long_lived(void *unused)
{
    for (;;) {
        sem_wait(&begin);
        if (shared.client == NULL)
            return unused;
        use(&shared);
        sem_post(&done);
    }
}

static void use_from_threads(pthread_t *leaving)
{
    pthread_t brief;
    sem_post(&begin);
    REQUIRE(pthread_create(&brief, NULL, short_lived, NULL) == 0);
    REQUIRE(pthread_create(leaving, NULL, late, NULL) == 0);
    use(&shared);
    REQUIRE(pthread_join(brief, NULL) == 0);
    sem_wait(&used);
    sem_wait(&done);
}

static void play(char **argv, int number)
{
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(library != NULL);
    functions f = find(library);
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_error error = SEATLOCK_ERROR_INIT;
    seatlock_event event = SEATLOCK_EVENT_INIT;
    uint64_t operation = 0;
    pthread_t leaving;
    REQUIRE(f.options_new(&options) == SEATLOCK_OK);
    REQUIRE(f.set_product(options, PRODUCT, NULL) == SEATLOCK_OK);
    REQUIRE(f.set_server(options, argv[4], NULL) == SEATLOCK_OK);
    REQUIRE(f.set_machine_id(options, MACHINE, NULL) == SEATLOCK_OK);
    REQUIRE(f.set_state_folder(options, argv[3], NULL) == SEATLOCK_OK);
    REQUIRE(f.add_root_key(options, ROOT_KEY, NULL) == SEATLOCK_OK);
    if (f.open(options, &client, &error) != SEATLOCK_OK)
        fprintf(stderr, "open: %s\n", error.message);
    REQUIRE(client != NULL);
    f.options_free(options);

    shared.library = &f;
    shared.client = client;
    REQUIRE(f.activate(client, TOKEN, SEATLOCK_CONSENT_TERMS, &operation, NULL) == SEATLOCK_OK);
    use_from_threads(&leaving);
    /* Every other round waits for the answer, the rest look at events and close with the request in flight. */
    if (number % 2 == 0) {
        REQUIRE(f.wait(client, operation, 20000, &event) == SEATLOCK_ERROR_UNREACHABLE);
        REQUIRE(event.operation == operation);
    } else {
        REQUIRE(f.next_event(client, 0, &event) >= SEATLOCK_OK);
    }
    REQUIRE(f.close(client, 5000) == SEATLOCK_OK);
    shared.client = NULL;
    REQUIRE(dlclose(library) == 0);
    sem_post(&unloaded);
    REQUIRE(pthread_join(leaving, NULL) == 0);
}

/* The kernel lists a thread for a moment after it was joined, so a difference gets time to go away. */
static bool as_before(const counts *before, counts *now)
{
    for (int tries = 0; tries < 200; tries++) {
        *now = count();
        if (now->threads <= before->threads && now->descriptors <= before->descriptors &&
            now->mappings <= before->mappings + MAPPINGS_MORE)
            return true;
        usleep(10000);
    }
    return false;
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 5);
    int rounds = atoi(argv[2]);
    pthread_t host;
    counts before, now;
    /* One heap for all threads: otherwise glibc maps more of them as threads happen to collide. */
    mallopt(M_ARENA_MAX, 1);
    REQUIRE(sem_init(&begin, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
    REQUIRE(sem_init(&used, 0, 0) == 0 && sem_init(&unloaded, 0, 0) == 0);
    REQUIRE(pthread_create(&host, NULL, long_lived, NULL) == 0);
    for (int number = 0; number < WARM_UP; number++)
        play(argv, number);
    before = count();
    for (int number = 0; number < rounds; number++)
        play(argv, number);
    bool same = as_before(&before, &now);
    printf("%d rounds: threads %ld -> %ld, descriptors %ld -> %ld, mappings %ld -> %ld\n", rounds, before.threads,
           now.threads, before.descriptors, now.descriptors, before.mappings, now.mappings);
    sem_post(&begin); /* with no client: the end */
    REQUIRE(pthread_join(host, NULL) == 0);
    return same ? 0 : 1;
}
