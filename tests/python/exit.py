"""A host in Python that ends at any moment after a ping, and never closes its client.

    exit.py LIBRARY STATE_FOLDER MILLISECONDS

CPython ends a thread that asks for the interpreter's lock while it shuts down, by pthread_exit on the C side of the call.
"""
import ctypes
import sys
import time

# Hosts put arguments of their own before.
library, folder, milliseconds = sys.argv[-3:]
seatlock = ctypes.CDLL(library)
Wake = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
count = 0


@Wake
def wake(_client, _context):
    global count
    count += 1


def call(name, *arguments):
    code = getattr(seatlock, name)(*arguments)
    if code != 0:
        sys.exit(f"{name}: {code}")


options, client, operation = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint64()
call("seatlock_options_new", ctypes.byref(options))
for name, value in [
    ("product", b"com.example.bridge"),
    ("server", b"http://127.0.0.1:9"),
    ("machine_id", b"a-test-machine-of-ours"),
    ("state_folder", folder.encode()),
]:
    call(f"seatlock_options_set_{name}", options, value, None)
call("seatlock_options_add_root_key", options, b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", None)
call("seatlock_options_set_wake", options, wake, None, None)
call("seatlock_client_open", options, ctypes.byref(client), None)
for _ in range(30):
    call("seatlock_client_ping", client, 1, ctypes.byref(operation), None)
time.sleep(int(milliseconds) / 1000)
