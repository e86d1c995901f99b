/* What the time is, and letting some pass, for C test programs on Unix. */
#ifndef SEATLOCK_TEST_CLOCK_H
#define SEATLOCK_TEST_CLOCK_H

#include <time.h>

static inline void pause_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

/* Of a clock that nobody sets. */
static inline double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
