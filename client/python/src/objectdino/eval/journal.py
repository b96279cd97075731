# SPDX-License-Identifier: Apache-2.0
"""The record of a run: JSON lines that are only ever appended, so that an interrupted run goes on where it was."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

try:
    import fcntl
except ImportError:  # not on Windows, where two runs on one journal are not noticed
    fcntl = None  # type: ignore[assignment]


class Journal:
    """The first line holds the settings; a run with others is refused, since its answers would not compare. Each
    record is one line, written in one call and synced; a last line that a crash has torn is cut off. Records with
    an error are tried again. One process at a time; thread-safe within it.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        """OSError: the file cannot be used; ValueError: it belongs to another run, or is no journal."""
        self._path = os.fspath(path)
        self._lock = threading.Lock()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._claim()
            self.done = self._resume(dict(settings))  # (arm, id) with an answer
        except BaseException:
            os.close(self._file)
            raise

    def append(self, arm: str, name: str, record: Mapping[str, Any]) -> None:
        self._write({"arm": arm, "id": name, **record})
        if not record.get("error"):
            with self._lock:
                self.done.add((arm, name))

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _claim(self) -> None:
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ValueError(f"{self._path} is in use by another run") from error

    def _resume(self, settings: dict[str, Any]) -> set[tuple[str, str]]:
        header = {"journal": 1, "settings": json.loads(json.dumps(settings))}
        lines = list(self._whole_lines())
        if not lines:
            self._write(header)
            return set()
        rows = []
        for number, line in enumerate(lines, 1):
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{self._path}:{number}: {error}") from error
        if not isinstance(rows[0], dict) or rows[0].get("journal") != 1:
            raise ValueError(f"{self._path} is not a journal of this program")
        then, now = rows[0]["settings"], header["settings"]
        changed = sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key))
        if changed:
            raise ValueError(f"{self._path} belongs to a run with other settings: {', '.join(changed)}")
        return {(row["arm"], row["id"]) for row in rows[1:] if not row.get("error")}

    def _whole_lines(self) -> Iterator[bytes]:
        with contextlib.closing(os.fdopen(os.dup(self._file), "rb")) as file:
            file.seek(0)
            data = file.read()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            os.ftruncate(self._file, end)
        yield from data[:end].splitlines()

    def _write(self, row: Mapping[str, Any]) -> None:
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
        with self._lock:
            written = os.write(self._file, line)
            if written != len(line):
                raise OSError(f"{self._path}: {written} of {len(line)} bytes were written: is the disk full?")
            os.fsync(self._file)
