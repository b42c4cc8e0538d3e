"""The program to run in place of ``mtx`` or a changer script when the machine is simulated behind a port.

``python -m robot.sim.client mtx -f DIR/tty status`` and ``python -m robot.sim.client script DIR/tty listall`` print
what the program would print and exit as it would. Not for anything else; imports little, because it starts often.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import sys
import termios
import tty


def main(arguments: list[str]) -> int:
    """Hand the command line to the machine and give back what it answers."""
    try:
        device = arguments[arguments.index("-f") + 1] if arguments[0] == "mtx" else arguments[1]
    except (IndexError, ValueError):
        sys.stderr.write("usage: client mtx -f DEVICE COMMAND... | client script DEVICE COMMAND...\n")
        return 1
    try:
        status, out, err = _ask(device, arguments[1:])
    except OSError as error:
        sys.stderr.write(f"cannot open SCSI device '{device}' - {error.strerror}\n")
        return 1
    sys.stdout.write(out)
    sys.stderr.write(err)
    return status if status >= 0 else 128 - status


def _ask(device: str, words: list[str]) -> tuple[int, str, str]:
    port = os.open(device, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(port, termios.TCSANOW)
        number = secrets.token_hex(8)
        _write(port, json.dumps([number, *words]).encode() + b"\n")
        rest = b""
        while True:
            data = os.read(port, 65536)
            if not data:
                raise OSError(5, "the line hung up")
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                answer = _answer(line, number)
                if answer is not None:
                    return answer
    finally:
        os.close(port)


def _write(port: int, data: bytes) -> None:
    while data:
        select.select([], [port], [])
        data = data[os.write(port, data) :]


def _answer(line: bytes, number: str) -> tuple[int, str, str] | None:
    """The answer to our question; what was meant for an earlier program, or is cut off, is None."""
    try:
        answered, status, out, err = json.loads(line)
    except ValueError:
        return None
    return (int(status), str(out), str(err)) if answered == number else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
