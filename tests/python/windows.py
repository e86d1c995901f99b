"""A host in Python on Windows, from the token to the seat that was given back.

    windows.py LIBRARY SERVER ROOT_KEY STATE_FOLDER TOKEN close|leave

With "leave" it ends with an open client.
"""
import ctypes
import sys
import threading
import time

library, server, root_key, folder, token, end = sys.argv[1:]
seatlock = ctypes.CDLL(library)
Wake = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
woken = threading.Event()


@Wake
def wake(_client, _context):
    woken.set()


def call(name, *arguments):
    code = getattr(seatlock, name)(*arguments)
    if code < 0:
        sys.exit(f"{name}: {code}")
    return code


def ended(name, *arguments):
    operation = ctypes.c_uint64()
    call(f"seatlock_client_{name}", client, *arguments, ctypes.byref(operation), None)
    call("seatlock_client_wait", client, operation, 60000, None)


def text(number):
    buffer = ctypes.create_string_buffer(512)
    call("seatlock_client_text", client, number, buffer, len(buffer), None)
    return buffer.value.decode()


options, client = ctypes.c_void_p(), ctypes.c_void_p()
call("seatlock_options_new", ctypes.byref(options))
for name, value in [
    ("set_product", "com.example.bridge"),
    ("set_server", server),
    ("add_root_key", root_key),
    ("set_state_folder", folder),
    ("set_machine_id", "a-test-machine-of-ours"),
    ("set_proxy", ""),
]:
    call(f"seatlock_options_{name}", options, value.encode(), None)
call("seatlock_options_set_wake", options, wake, None, None)
call("seatlock_client_open", options, ctypes.byref(client), None)
ended("activate", token.encode(), 3)
if not woken.wait(60):
    sys.exit("the wake function was not called")
print(text(6))
ended("ping", 1)
if end == "leave":
    sys.exit(0)
ended("release")
print(text(6))
before = time.monotonic()
call("seatlock_client_close", client, 5000)
print(f"closed in {(time.monotonic() - before) * 1000:.0f} ms")
