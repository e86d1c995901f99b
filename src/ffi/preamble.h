/*
 * seatlock: license activation for plug-ins.
 *
 * Read this once; it holds for every function below.
 *
 * Calling. Results are int32_t: SEATLOCK_OK is 0, positive numbers mean that nothing is wrong but there is nothing
 * to give, negative numbers are errors. NULL, bad UTF-8 and unknown numbers are errors, never crashes.
 * Out parameters come last and are left alone on failure. A seatlock_error is yours, may be NULL, and
 * receives the detail. Structs begin with struct_size, which you set to sizeof before the call; later versions only
 * add members at the end.
 *
 * Texts are UTF-8 and end with NUL. Times are Unix seconds in 64 bits; durations are milliseconds.
 *
 * Ownership. You own options and clients until you free or close them; the library copies every argument and keeps
 * none of your memory, except the context of the wake function.
 *
 * Threads. [any thread]: may be called from any thread at any time, and never blocks unless it says so.
 * [one thread at a time]: the same object must not be used by two threads at once. Work is done by one
 * worker thread per client and is reported by events that you take. Only the wake function is ever called by the library,
 * on a thread of its own. No signal handler of yours ever runs on a thread of the library.
 *
 * Process. No global state, no signal handlers, no output, no environment changes. After fork() the child
 * gets SEATLOCK_ERROR_FORKED from the parent's clients and opens its own.
 *
 * A token is a secret: it never appears in messages, and is never logged.
 */
