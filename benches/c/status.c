/*
 * Asks for the status again and again, alone and from two threads, beside the clock call that it cannot do without.
 * Counts what the library allocates meanwhile.
 *
 *     status SERVER ROOT_KEY LEASE_KEY MACHINE STATE_FOLDER     the token comes on standard input
 *
 * Prints lines of a name and a number: nanoseconds per call, or allocations.
 */
#define _GNU_SOURCE
#include "client.h"

#include <pthread.h>

enum { RUNS = 101, CALLS = 20000, COUNTED = 100000 };

/* glibc's own functions; the names below take their place for the whole process, the library included. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* Of this thread only: the library's worker may allocate when it likes. */
static _Thread_local long allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocations++;
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    allocations++;
    *memory = __libc_memalign(alignment, size);
    return *memory != NULL ? 0 : 12; /* ENOMEM */
}

static seatlock_client *client;
static pthread_barrier_t together;

static double status_ns(void)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    int32_t failed = 0;
    int64_t begin = now_ns();
    for (int call = 0; call < CALLS; call++)
        failed |= seatlock_client_status(client, &status);
    int64_t took = now_ns() - begin;
    REQUIRE(failed == 0 && status.state == SEATLOCK_STATE_UNLOCKED);
    return (double)took / CALLS;
}

static double clock_ns(void)
{
    struct timespec now;
    int64_t begin = now_ns();
    for (int call = 0; call < CALLS; call++)
        clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)(now_ns() - begin) / CALLS;
}

static void *one_of_two(void *print)
{
    for (int run = 0; run < RUNS; run++) {
        pthread_barrier_wait(&together);
        double took = status_ns();
        if (print != NULL)
            printf("status_two_threads %.2f\n", took);
    }
    return NULL;
}

static long allocations_of_status(int calls)
{
    seatlock_status status = SEATLOCK_STATUS_INIT;
    int32_t failed = 0;
    long before = allocations;
    for (int call = 0; call < calls; call++)
        failed |= seatlock_client_status(client, &status);
    long after = allocations;
    REQUIRE(failed == 0);
    return after - before;
}

/* What is made for each thread is made in its first call. */
static void *new_thread(void *unused)
{
    printf("allocations_of_new_thread %ld\n", allocations_of_status(1));
    return unused;
}

static void count_allocations(void)
{
    char text[256];
    pthread_t other;
    printf("allocations %ld\n", allocations_of_status(COUNTED));
    REQUIRE(pthread_create(&other, NULL, new_thread, NULL) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    /* The counter is worth something only if it sees a call that does allocate. */
    long before = allocations;
    REQUIRE(seatlock_client_text(client, SEATLOCK_TEXT_STATUS, text, sizeof text, NULL) == SEATLOCK_OK);
    printf("allocations_of_text %ld\n", allocations - before);
}

int main(int argc, char **argv)
{
    char token[128];
    pthread_t other;
    REQUIRE(argc == ARGUMENTS && fgets(token, sizeof token, stdin) != NULL);
    seatlock_options *options = options_of(argv);
    client = open_client(options);
    activate(client, token, SEATLOCK_CONSENT_TERMS | SEATLOCK_CONSENT_REMEMBER);

    status_ns(); /* warms up */
    for (int run = 0; run < RUNS; run++)
        printf("status %.2f\nclock %.2f\n", status_ns(), clock_ns());
    REQUIRE(pthread_barrier_init(&together, NULL, 2) == 0);
    REQUIRE(pthread_create(&other, NULL, one_of_two, NULL) == 0);
    one_of_two(&other);
    REQUIRE(pthread_join(other, NULL) == 0);
    count_allocations();

    REQUIRE(seatlock_client_close(client, 5000) == SEATLOCK_OK);
    seatlock_options_free(options);
    return 0;
}
