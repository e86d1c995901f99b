"""The license panel: what it shows, and what its buttons do.

`shown` is a pure function of facts, made of the table that every renderer of the project reads
(`panel/table.json`; here it lies beside this file). `Panel` holds a client and what a person has
entered, and never blocks: a host calls `tick` from a timer, draws `view`, and hands back what was
entered and pressed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from .client import Client, Event, Options
from .codes import Code, CredentialKind, EventKind, State, Text
from .errors import SeatlockError

Row = Mapping[str, Any]


class Line(NamedTuple):
    """A text to show, or a fact with its label, or a link."""

    role: str
    """locked, warning, licensed, done, failed, text, fact, link."""
    label: str
    """In the panel's language; empty for none."""
    value: str
    """The text, the fact or the address; empty when the label is all."""


class Field(NamedTuple):
    """What a person can enter."""

    name: str
    """As in `Panel.enter`."""
    kind: str
    """secret (masked), check, save (a file to write), open (a file to read)."""
    label: str
    value: str
    """yes or no of a check box, the path of a file; never the token."""


class Button(NamedTuple):
    """What a person can press."""

    name: str
    """As in `Panel.press`."""
    label: str
    call: str
    """What it does: a verb of the client, or view, copy, open and a name."""
    enabled: bool


class View(NamedTuple):
    """What is shown now."""

    state: str
    lines: tuple[Line, ...]
    fields: tuple[Field, ...]
    buttons: tuple[Button, ...]


def _read(name: str) -> Any:
    return json.loads((Path(__file__).parent / name).read_text("utf-8"))


_TABLE: Row = _read("table.json")
_LABELS: Mapping[str, Mapping[str, str]] = _read("labels.json")
_CURES = {reason: cure for cure, reasons in _TABLE["cures"].items() for reason in reasons}
FACTS = frozenset(_TABLE["facts"])


def _holds(condition: Mapping[str, list[str]], facts: Mapping[str, str]) -> bool:
    """Each fact has one of its values; "*" stands for any but none."""

    def one(name: str, values: list[str]) -> bool:
        value = facts.get(name, "")
        return value in values or (value != "" and "*" in values)

    return all(one(name, values) for name, values in condition.items())


def shown(facts: Mapping[str, str], language: str = "en") -> View:
    """What the panel shows for these facts. A fact that is not there is an empty one."""
    known = {**facts, "cure": _CURES.get(facts.get("reason", ""), "")}
    state: str = next(row["name"] for row in _TABLE["states"] if _holds(row["when"], known))

    def label(name: str) -> str:
        texts = _LABELS[name]
        return texts.get(language, texts["en"])

    def rows(kind: str) -> list[Row]:
        return [
            row
            for row in _TABLE[kind]
            if state in row.get("in", [state])
            and state not in row.get("not_in", [])
            and _holds(row.get("when", {}), known)
        ]

    return View(
        state,
        tuple(
            Line(row["role"], label(row["label"]) if "label" in row else "", value)
            for row in rows("lines")
            for value in [known.get(row["value"], "") if "value" in row else ""]
            if value or "value" not in row
        ),
        tuple(
            Field(
                row["name"],
                row["kind"],
                label(row["name"]),
                "" if row["kind"] == "secret" else known.get(row["name"], ""),
            )
            for row in rows("fields")
        ),
        tuple(
            Button(row["name"], label(row["name"]), row["call"], _holds(row.get("enabled", {}), known))
            for row in rows("buttons")
        ),
    )


class Action(NamedTuple):
    """What the host does for a button."""

    kind: str
    """copy (`text` to the clipboard) or open (the page `text` in a browser)."""
    text: str


_TEXTS = {
    "status": Text.STATUS,
    "computer": Text.MACHINE_SHORT,
    "machine_id": Text.MACHINE_ID,
    "plan": Text.PLAN,
    "account": Text.ACCOUNT,
    "email": Text.EMAIL,
    "sign_in_url": Text.SIGN_IN_URL,
    "sign_in_code": Text.SIGN_IN_CODE,
}
_STATES: dict[int, str] = {State.LOCKED: "locked", State.GRACE: "grace", State.UNLOCKED: "unlocked"}
_CREDENTIALS: dict[int, str] = {
    CredentialKind.TOKEN: "token",
    CredentialKind.PERSON: "person",
    CredentialKind.MACHINE: "machine",
}
_ENTERED = frozenset({"token", "terms", "remember", "request_path", "lease_path", "release_path"})


class Panel:
    """A client and its panel, for one thread: that of the host's user interface. It never raises
    what the library refuses, and shows it instead.
    """

    def __init__(self, options: Options, *, terms_url: str = "", language: str = "en") -> None:
        """Opens the client, and pings once. `language` is that of the labels, such as "de"; that
        of everything else is the catalogue of the options.
        """
        self.client: Optional[Client] = None
        """None when it cannot be opened; the panel says why."""
        self._language = language
        self._issuer = options.oidc_issuer is not None
        self._network = options.network_allowed
        self._terms_url = terms_url
        self._entered = {"remember": "yes"}
        self._view = ""
        self._running = ("", 0)
        self._outcome: dict[str, str] = {}
        self._refused: Optional[SeatlockError] = None
        self._generation = 0
        try:
            self.client = Client(options)
            self.client.ping()
        except SeatlockError as error:
            self._refused = error

    @property
    def licensed(self) -> bool:
        """Whether the plug-in may work. As often as you like."""
        return self.client is not None and self.client.licensed

    def close(self) -> None:
        """Closes the client, and forgets what was entered."""
        self._entered = {"remember": "yes"}
        if self.client is not None:
            self.client.close()

    def tick(self) -> bool:
        """Takes what has happened: True when the panel shows something else than before. Some
        microseconds when nothing has happened; call it from a timer, four times a second or so.
        """
        if self.client is None:
            return False
        try:
            events = self.client.poll()
            generation = self.client.status().generation
        except SeatlockError as error:
            changed = self._refused is None or self._refused.code != error.code
            self._refused = error
            return changed
        for event in events:
            self._take(event)
        changed = bool(events) or generation != self._generation
        self._generation = generation
        return changed

    def allow_network(self, allowed: bool) -> None:
        """The host's user has switched online access on or off."""
        if self._network == allowed or self.client is None:
            return
        self._network = allowed
        try:
            self.client.allow_network(allowed)
        except SeatlockError as error:
            self._fail(error)

    def enter(self, name: str, value: str) -> None:
        """What a person has entered in a field: a text, or yes or no of a check box."""
        if name not in _ENTERED:
            raise ValueError(f"there is no field {name!r}")
        self._entered[name] = value

    def entered(self, name: str) -> str:
        """What a field has. The host empties its own copy of the token when this is empty."""
        return self._entered.get(name, "")

    def view(self) -> View:
        """What is to be shown now."""
        return shown(self.facts(), self._language)

    def press(self, name: str) -> Optional[Action]:
        """A person has pressed a button. One that is not shown, or not enabled, does nothing."""
        pressed = next(
            (button for button in self.view().buttons if button.name == name and button.enabled), None
        )
        if pressed is None or self.client is None:
            return None
        verb, _, what = pressed.call.partition(" ")
        if verb in ("copy", "open"):
            return Action(verb, self.client.report() if what == "report" else self.facts()[what])
        self._outcome = {}
        if verb == "view":
            self._view = what
            return None
        try:
            self._call(self.client, verb)
        except SeatlockError as error:
            self._fail(error)
        return None

    def facts(self) -> dict[str, str]:
        """What `shown` is given; `panel/table.json` says what each is."""
        facts = {**self._outcome, "view": self._view, "running": self._running[0]}
        facts["network"] = "yes" if self._network else "no"
        facts["issuer"] = "yes" if self._issuer else ""
        facts["terms_url"] = self._terms_url
        facts.update(self._entered)
        if self._entered.get("token"):
            facts["token"] = "yes"
        client = self.client
        try:
            if client is None or self._refused is not None:
                raise self._refused or ValueError
            status = client.status()
            facts["state"] = _STATES.get(status.state, "locked")
            facts["warn"] = "yes" if status.warn else ""
            facts.update({name: client.text(text) for name, text in _TEXTS.items()})
            facts["reason"] = client.code_name(status.reason)
            if facts["state"] == "locked":
                facts["remedy"] = client.code_remedy(status.reason)
                facts["url"] = client.code_url(status.reason)
            if facts.get("message") == facts["status"]:
                facts["outcome"] = ""
            credential = client.credential()
            facts["credential"] = _CREDENTIALS.get(credential.kind, "") if credential else ""
        except SeatlockError as error:
            facts.update(state="", status=error.message, remedy=error.remedy, url=error.url)
        return facts

    def _call(self, client: Client, verb: str) -> None:
        token = self._entered.get("token", "")
        terms, remember = (self._entered.get(name) == "yes" for name in ("terms", "remember"))
        if verb == "cancel":
            client.cancel(self._running[1])
            return
        starts: dict[str, Callable[[], int]] = {
            "activate": lambda: client.activate(token, terms=terms, remember=remember),
            "ping": client.ping,
            "release": client.release,
            "sign_in_browser": lambda: client.sign_in_browser(terms=terms, remember=remember),
            "sign_in_device": lambda: client.sign_in_device(terms=terms, remember=remember),
            "sign_out": client.sign_out,
            "airgap_request": lambda: client.airgap_request(
                token, self._entered["request_path"], terms=terms, remember=remember
            ),
            "airgap_import": lambda: client.airgap_import(self._entered["lease_path"]),
            "airgap_release": lambda: client.airgap_release(self._entered["release_path"]),
        }
        self._running = (verb, starts[verb]())

    def _take(self, event: Event) -> None:
        if event.kind == EventKind.OPERATION and event.operation == self._running[1]:
            verb, self._running = self._running[0], ("", 0)
            if event.code < 0:
                self._say("failed", event.code, event.message)
                return
            self._entered.pop("token", None)
            self._entered.pop("terms", None)
            if verb != "airgap_request":
                self._view = ""
            self._say("done", event.code, event.message)
        elif event.kind == EventKind.NOTICE:
            self._say("failed", event.code, event.message)
        elif event.kind == EventKind.SIGN_IN:
            self._say("done", event.code, event.message)

    def _fail(self, error: SeatlockError) -> None:
        self._say("failed", error.code, error.message)

    def _say(self, outcome: str, code: int, message: str) -> None:
        client = self.client
        if client is None or code == Code.CANCELLED:
            self._outcome = {}
            return
        self._outcome = {"outcome": outcome, "message": message}
        if outcome == "failed":
            self._outcome["message_remedy"] = client.code_remedy(code)
            self._outcome["message_url"] = client.code_url(code)
