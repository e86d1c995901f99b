"""`panel/golden.json`: what the panel shows, for every renderer of the project to be held against.

`SEATLOCK_UPDATE=1 pytest test_golden.py` writes it anew.
"""

import json
import os
from pathlib import Path

import pytest

from seatlock.panel import FACTS, shown

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "panel/golden.json"
TABLE = json.loads((ROOT / "panel/table.json").read_text("utf-8"))
LABELS = json.loads((ROOT / "panel/labels.json").read_text("utf-8"))
REASONS = [reason for reasons in TABLE["cures"].values() for reason in reasons]
COMPUTER = {"computer": "YBWE-SEZM", "machine_id": "m1_" + "A" * 43}
BOXES = {"remember": "yes", "network": "yes"}


def locked(reason, language="en"):
    texts = json.loads((ROOT / f"catalogues/{language}.json").read_text("utf-8"))
    return {
        "state": "locked",
        "reason": reason,
        "status": texts[reason],
        "remedy": texts[f"{reason}.remedy"],
        "url": f"https://seatlock.example/codes#{reason}",
        **COMPUTER,
        **BOXES,
    }


LICENSED = {
    "state": "unlocked",
    "reason": "ok",
    "status": "Licensed.",
    "credential": "token",
    "plan": "Studio",
    "account": "Example Studio",
    "email": "artist@example.com",
    **COMPUTER,
    **BOXES,
}
GRACE = {
    **LICENSED,
    "state": "grace",
    "reason": "ok_offline",
    "status": "Working offline. Connect before 2026-12-14.",
}
ENDS_SOON = {
    **GRACE,
    "warn": "yes",
    "reason": "ok_warn",
    "status": "License check overdue, 3 days left.",
}
FAILED = {
    "outcome": "failed",
    "message": "The token looks incomplete or mistyped. Copy it again.",
    "message_remedy": 'Copy all 40 characters, from the kind ("sit_") to the end.',
    "message_url": "https://seatlock.example/codes#token_malformed",
}
ISSUER = {"issuer": "yes"}
TYPED = {"token": "yes"}
TERMS = {"terms": "yes"}
NO_NETWORK = {"network": "no"}
NO_TOKEN = locked("no_token")
SIGN_IN = {**NO_TOKEN, **ISSUER, **TERMS, "running": "sign_in_device"}
OFFLINE = {**NO_TOKEN, "view": "offline"}

SCENARIOS = [
    *((f"locked: {reason}", "en", locked(reason)) for reason in REASONS),
    ("the library is missing", "en", {"status": "The license library is missing.", **BOXES}),
    ("no token, with terms to read", "en", {**NO_TOKEN, "terms_url": "https://example.com/terms"}),
    ("no token, terms accepted", "en", {**NO_TOKEN, **TERMS}),
    ("no token, but a sign-in service", "en", {**NO_TOKEN, **ISSUER}),
    ("no token, a sign-in service, terms accepted", "en", {**NO_TOKEN, **ISSUER, **TERMS}),
    ("no token, no network", "en", {**NO_TOKEN, **NO_NETWORK}),
    ("entering: a token without consent", "en", {**NO_TOKEN, **TYPED}),
    ("entering: a token with consent", "en", {**NO_TOKEN, **TYPED, **TERMS}),
    ("entering: not to be remembered", "en", {**NO_TOKEN, **TYPED, **TERMS, "remember": ""}),
    ("entering: no network", "en", {**NO_TOKEN, **TYPED, **TERMS, **NO_NETWORK}),
    ("entering: refused", "en", {**NO_TOKEN, **TYPED, **TERMS, **FAILED}),
    ("entering another while licensed", "en", {**LICENSED, "view": "enter"}),
    ("entering another while a subscription has ended", "en", {**locked("license_expired"), "view": "enter"}),
    ("asking for a seat", "en", {**NO_TOKEN, **TYPED, **TERMS, "running": "activate"}),
    ("asking again", "en", {**locked("license_expired"), "running": "ping"}),
    ("giving a seat back", "en", {**LICENSED, "running": "release", "view": "release"}),
    ("writing a request", "en", {**OFFLINE, **TYPED, **TERMS, "running": "airgap_request"}),
    ("signing in: not begun", "en", SIGN_IN),
    (
        "signing in: at another device",
        "en",
        {
            **SIGN_IN,
            "message": "Open https://login.example.com/device on any device and enter the code "
            "WDJB-MJHT there.",
            "sign_in_url": "https://login.example.com/device",
            "sign_in_code": "WDJB-MJHT",
        },
    ),
    (
        "signing in: in a browser",
        "en",
        {
            **SIGN_IN,
            "running": "sign_in_browser",
            "message": "Sign in on the page that your browser shows.",
            "sign_in_url": "https://login.example.com/authorize?client_id=bridge",
        },
    ),
    ("locked: sign_in_required, with a service", "en", {**locked("sign_in_required"), **ISSUER}),
    ("locked: no network", "en", {**locked("lease_expired"), **NO_NETWORK}),
    ("licensed", "en", LICENSED),
    ("licensed by a sign-in", "en", {**LICENSED, **ISSUER, "credential": "person"}),
    ("licensed, with little known", "en", {"state": "unlocked", "reason": "ok", "status": "Licensed."}),
    ("licensed, a release was refused", "en", {**LICENSED, **FAILED}),
    ("given back", "en", {**NO_TOKEN, "outcome": "done", "message": "The seat was given back."}),
    ("grace", "en", GRACE),
    ("grace without a network", "en", {**GRACE, **NO_NETWORK}),
    ("ends soon", "en", ENDS_SOON),
    ("release: what follows", "en", {**LICENSED, "view": "release"}),
    ("release: no network", "en", {**LICENSED, **NO_NETWORK, "view": "release"}),
    ("release: locked meanwhile", "en", {**locked("seat_released"), "view": "release"}),
    ("offline", "en", OFFLINE),
    (
        "offline: ready to write",
        "en",
        {**OFFLINE, **TYPED, **TERMS, "request_path": "/media/usb/request.json"},
    ),
    ("offline: ready to import", "en", {**OFFLINE, "lease_path": "/media/usb/lease.json"}),
    ("offline: licensed, nothing chosen", "en", {**LICENSED, "view": "offline"}),
    ("offline: licensed", "en", {**LICENSED, "view": "offline", "release_path": "/media/usb/release.json"}),
    (
        "offline: written",
        "en",
        {
            **OFFLINE,
            "outcome": "done",
            "message": "The request was written. Import the file that is made from it.",
        },
    ),
    *((f"no token, in {language}", language, locked("no_token", language)) for language in ("de", "ja")),
]


def compact(value):
    return json.dumps(value, ensure_ascii=False)


def scenario(what, language, facts):
    """Lines are role, label, value; fields name, kind, label, value; buttons name, label, call,
    enabled.
    """
    view = shown(facts, language)
    parts = ",\n".join(
        f' "{part}": [' + ",".join(f"\n  {compact(row)}" for row in getattr(view, part)) + "]"
        for part in ("lines", "fields", "buttons")
    )
    return (
        f'{{"what": {compact(what)}, "language": {compact(language)},\n'
        f' "facts": {compact(facts)},\n "state": {compact(view.state)},\n{parts}}}'
    )


def test_the_panel_shows_what_it_did():
    text = "[\n" + ",\n".join(scenario(*row) for row in SCENARIOS) + "\n]\n"
    json.loads(text)
    if os.environ.get("SEATLOCK_UPDATE"):
        GOLDEN.write_text(text, "utf-8")
    assert GOLDEN.read_text("utf-8") == text, "SEATLOCK_UPDATE=1 pytest writes it anew"


def test_every_row_of_the_table_is_shown_in_some_scenario():
    views = [shown(facts) for _, _, facts in SCENARIOS]
    states = {row["name"] for row in TABLE["states"]}
    assert {view.state for view in views} == states
    assert {field.name for view in views for field in view.fields} == {row["name"] for row in TABLE["fields"]}
    buttons = {(button.name, button.enabled) for view in views for button in view.buttons}
    for row in TABLE["buttons"]:
        assert (row["name"], True) in buttons, row["name"]
        assert "enabled" not in row or (row["name"], False) in buttons, row["name"]
    labels = {part.label for view in views for parts in view[1:] for part in parts} - {""}
    assert labels == {texts["en"] for texts in LABELS.values()}


def test_the_table_names_only_what_there_is():
    states = {row["name"] for row in TABLE["states"]}
    for row in TABLE["states"] + TABLE["lines"] + TABLE["fields"] + TABLE["buttons"]:
        assert {*row.get("when", {}), *row.get("enabled", {})} <= FACTS | {"cure"}, row
        assert {*row.get("in", []), *row.get("not_in", [])} <= states, row
        assert row.get("value", "state") in FACTS, row
    for _, _, facts in SCENARIOS:
        assert facts.keys() <= FACTS


def test_every_error_has_a_cure():
    rows = [line.split() for line in (ROOT / "include/ABI.txt").read_text("utf-8").splitlines()]
    errors = [
        name for kind, name, value, *_ in rows if kind == "enumerator" and name.startswith("SEATLOCK_ERROR_")
    ]
    named = {"SEATLOCK_ERROR_" + reason.upper().replace("_ERROR", "") for reason in REASONS}
    assert len(REASONS) == len(set(REASONS))
    assert named - {"SEATLOCK_ERROR_NOT_ACTIVATED"} == set(errors)


def test_no_token_is_ever_shown():
    for _, _, facts in SCENARIOS:
        for field in shown({**facts, "token": "sit_secret"}).fields:
            assert field.kind != "secret" or field.value == ""


@pytest.mark.parametrize("texts", LABELS.values(), ids=LABELS.keys())
def test_labels_are_in_every_language(texts):
    assert [*texts] == ["en", "de", "es", "fr", "ja", "ko", "pt", "zh-Hans"]
    assert all(text == text.strip() != "" for text in texts.values())
