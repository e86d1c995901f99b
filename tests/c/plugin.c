/* A plug-in with its library inside or beside it: it exports its own two functions. */
#include <seatlock.h>

int plugin_life(const char *folder);
const void *plugin_library(void);

/* Where its calls go. */
const void *plugin_library(void)
{
    return seatlock_version();
}

/* 0 when a client was opened, used and closed. */
int plugin_life(const char *folder)
{
    seatlock_options *options = NULL;
    seatlock_client *client = NULL;
    seatlock_status status = SEATLOCK_STATUS_INIT;
    uint64_t operation = 0;
    int32_t failed = 0;
    failed |= seatlock_options_new(&options);
    failed |= seatlock_options_set_product(options, "com.example.bridge", NULL);
    failed |= seatlock_options_set_server(options, "http://127.0.0.1:9", NULL);
    failed |= seatlock_options_set_machine_id(options, "a-test-machine-of-ours", NULL);
    failed |= seatlock_options_set_state_folder(options, folder, NULL);
    failed |= seatlock_options_add_root_key(options, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", NULL);
    failed |= seatlock_client_open(options, &client, NULL);
    failed |= seatlock_client_status(client, &status);
    failed |= seatlock_client_preflight(client, "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs", &operation, NULL);
    failed |= seatlock_client_wait(client, operation, 60000, NULL) != SEATLOCK_ERROR_UNREACHABLE;
    failed |= seatlock_client_close(client, 20000);
    seatlock_options_free(options);
#ifdef PLUGIN_NEWER
    /* The function that the older library does not have. */
    failed |= seatlock_code_url(SEATLOCK_OK) == NULL;
#endif
    return failed != 0 || status.state != SEATLOCK_STATE_LOCKED;
}
