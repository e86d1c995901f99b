"""What is raised."""

from __future__ import annotations


class SeatlockError(Exception):
    """The library refused a call, or an operation has failed. `str` is a sentence for a person."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        remedy: str = "",
        url: str = "",
        http_status: int = 0,
        available_at: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        """A `Code`, or a number that a newer library has added."""
        self.message = message
        self.remedy = remedy
        """What a person can do about it."""
        self.url = url
        """A page about the code."""
        self.http_status = http_status
        """What was received, 0 for none."""
        self.available_at = available_at
        """Unix seconds from which a new try makes sense, 0 when unknown."""


class LibraryError(SeatlockError):
    """The library's file is missing, is another one, or is too old. `code` is `Code.INTERNAL`."""
