/*
 * What a plug-in of Visual Studio calls, without a C runtime, so that any compiler for its platform links it: with the
 * shared library's import library alone. Ends with 0 when the library answered.
 */
#include <seatlock.h>

int entry(void);

int entry(void)
{
    seatlock_options *options = 0;
    seatlock_client *client = 0;
    static seatlock_status status = SEATLOCK_STATUS_INIT; /* a compiler would clear it by memset */
    char id[64];
    int failed = seatlock_abi_version() != SEATLOCK_ABI_VERSION;
    failed |= seatlock_options_new(&options) != SEATLOCK_OK;
    failed |= seatlock_machine_id("com.example.bridge", "a-test-machine-of-ours", id, sizeof id, 0, 0) != SEATLOCK_OK;
    /* Nothing is set, so there is no client, which every call has to bear. */
    failed |= seatlock_client_open(options, &client, 0) != SEATLOCK_ERROR_INVALID_ARGUMENT;
    failed |= seatlock_client_status(client, &status) >= 0;
    seatlock_options_free(options);
    return failed;
}
