"""The client against a real server."""

import asyncio
import gc
import os
import threading
import time

import pytest

from seatlock import Client, Code, CredentialKind, EventKind, Intent, SeatlockError, State, Text, machine_id


def activated(client, token, **more):
    return client.wait(client.activate(token, **{"terms": True, "remember": True, **more}))


def test_from_the_token_to_the_seat_that_was_given_back(client, token):
    status = client.status()
    assert (status.state, status.reason, client.licensed) == (State.LOCKED, Code.NO_TOKEN, False)
    event = activated(client, token)
    assert (event.kind, event.code) == (EventKind.OPERATION, Code.OK)
    status = client.status()
    assert status.licensed and client.licensed and status.valid_until > time.time()
    assert client.text(Text.STATUS) == "Licensed."
    assert client.text(Text.EMAIL) == "artist@example.com"
    assert client.text(Text.SUBJECT) == ""
    assert client.credential() == (CredentialKind.TOKEN, True)
    assert client.license() == (0, 0)
    assert not client.entitlement("cad").included
    assert client.wait(client.ping(Intent.RENEW)).code == Code.OK
    report = client.report()
    assert "seatlock" in report and token not in report
    assert client.wait(client.release()).message == "The seat was given back."
    assert not client.licensed and client.credential() is None and client.license() is None


def test_a_license_is_there_the_next_time(options, token):
    with Client(options) as client:
        activated(client, token)
    with Client(options) as client:
        assert client.licensed


def test_refusals_are_exceptions_with_words(client):
    with pytest.raises(SeatlockError) as refused:
        client.activate("sit_mistyped", terms=True, remember=True)
    assert refused.value.code == Code.TOKEN_MALFORMED
    assert str(refused.value) == "The token looks incomplete or mistyped. Copy it again."
    assert refused.value.remedy.startswith("Copy all 40 characters")
    assert refused.value.url.endswith("token_malformed")
    unknown = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs"
    with pytest.raises(SeatlockError, match="does not know this token") as failed:
        activated(client, unknown)
    assert failed.value.code == Code.TOKEN_UNKNOWN
    with pytest.raises(SeatlockError, match="accept the license terms"):
        client.activate(unknown, terms=False, remember=True)


def test_a_mail_with_a_token_in_it(client, token):
    mail = "Dear artist,\r\nyour token is\r\n  {}\r\nBest regards"
    with pytest.raises(SeatlockError, match="looks incomplete or mistyped"):
        client.activate(mail.format(token[:-1]), terms=True, remember=True)
    assert activated(client, mail.format(token)).code == Code.OK


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 1_000_000, "", "é" * 40])
def test_texts_that_c_does_not_know(client, text):
    with pytest.raises(SeatlockError):
        client.activate(text, terms=True, remember=True)
    with pytest.raises(SeatlockError):
        client.airgap_import(text + "\0")


def test_words_of_another_language(server, tmp_path):
    catalogue = (
        b'{"language": "de", "no_token": "Geben Sie Ihr Token ein.", "no_token.remedy": "Fragen Sie."}'
    )
    with Client(server.options(tmp_path, catalogue=catalogue)) as client:
        assert client.text(Text.STATUS) == "Geben Sie Ihr Token ein."
        assert client.code_remedy(Code.NO_TOKEN) == "Fragen Sie."
        assert client.code_text(Code.NO_TOKEN) == "Geben Sie Ihr Token ein."


def test_no_network(server, tmp_path, token):
    with Client(server.options(tmp_path, network_allowed=False)) as client:
        with pytest.raises(SeatlockError, match="Networking is switched off") as refused:
            activated(client, token)
        assert refused.value.code == Code.NETWORK_DISALLOWED


def test_a_computer_without_a_network(server, options, token, tmp_path):
    request, lease, release = (tmp_path / name for name in ("request.json", "lease.json", "release.json"))
    with Client(options) as client:
        client.wait(client.airgap_request(token, request, terms=True, remember=True))
        server.run("airgap", "sign", str(request), "--out", str(lease))
        client.wait(client.airgap_import(lease))
        assert client.licensed
        client.wait(client.airgap_release(release))
        assert not client.licensed and release.is_file()


def test_events_of_a_timer(client, token):
    number = client.activate(token, terms=True, remember=True)
    events = []
    while not any(event.operation == number for event in events):
        events += client.poll()
        time.sleep(0.01)
    assert [event.kind for event in events] == [EventKind.STATUS, EventKind.OPERATION]
    assert client.poll() == []


def test_values_of_an_event(client, token, tmp_path):
    missing = tmp_path / "missing.json"
    client.airgap_import(missing)
    event = next(client.events())
    assert event.code == Code.FILE_UNUSABLE
    assert event.values["path"] == str(missing) and event.values["reason"] == "os_not_found"


def test_events_of_a_thread_end_with_the_client(client):
    taken = []
    thread = threading.Thread(target=lambda: taken.extend(client.events()))
    thread.start()
    number = client.ping()
    time.sleep(0.2)
    assert client.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [(event.operation, event.code) for event in taken] == [(number, Code.NOT_ACTIVATED)]


def test_events_of_a_loop(client):
    async def take():
        numbers = {client.ping() for _ in range(20)}
        async for event in client:
            numbers.discard(event.operation)
            if not numbers:
                break

    asyncio.run(asyncio.wait_for(take(), 30))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["of its own thread", "of another"])
def test_a_loop_ends_with_the_client(client, elsewhere):
    async def take():
        async for _ in client:
            pass

    async def both():
        task = asyncio.create_task(take())
        await asyncio.sleep(0.1)
        if elsewhere:
            await asyncio.get_running_loop().run_in_executor(None, client.close)
        else:
            client.close()
        await asyncio.wait_for(task, 10)

    asyncio.run(both())


def test_one_loop_at_a_time(client):
    async def take():
        async for _ in client:
            pass

    async def both():
        first = asyncio.create_task(take())
        await asyncio.sleep(0.05)
        with pytest.raises(RuntimeError, match="another loop"):
            await asyncio.wait_for(take(), 10)
        first.cancel()

    asyncio.run(both())


def test_a_closed_client(client):
    assert client.close() and client.close()
    assert not client.licensed
    for ask in (client.status, client.poll, client.ping, client.report, client.event_handle, client.license):
        with pytest.raises(SeatlockError) as refused:
            ask()
        assert refused.value.code == Code.CLOSED


def test_closing_beside_every_call(options):
    for _ in range(20):
        client = Client(options)

        def calls(client=client):
            while True:
                try:
                    client.ping()
                    client.poll()
                    client.text(Text.STATUS)
                    client.status()
                except SeatlockError as error:
                    if error.code == Code.CLOSED:
                        return
                    assert error.code == Code.BUSY

        threads = [threading.Thread(target=calls) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.01)
        client.close()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def test_a_client_that_nobody_refers_to_is_closed(options):
    before = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0
    for _ in range(20):
        Client(options)
    gc.collect()
    if before:
        assert len(os.listdir("/proc/self/task")) <= before + 1


def test_a_wait_that_is_too_short(options):
    with Client(options) as client:
        number = client.airgap_import("/nowhere")
        with pytest.raises(SeatlockError, match="cannot be used"):
            client.wait(number)
        with pytest.raises(SeatlockError) as refused:
            client.wait(number)
        assert refused.value.code == Code.UNKNOWN_OPERATION


def test_machine_ids():
    assert machine_id("com.example.bridge", "a-test-machine").startswith("m1_")
    with pytest.raises(SeatlockError):
        machine_id("not a product")


def test_a_secret_is_not_shown(server, tmp_path):
    assert "hush" not in repr(server.options(tmp_path, client_secret="hush"))
