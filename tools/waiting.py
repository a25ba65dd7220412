"""Waiting for conditions of this machine: the scripts and tests in Python share it. Nothing here sleeps for a result."""

import socket
import time
import urllib.request

# how long anything but a build may take on a loaded machine, in seconds
PATIENCE = 60


def wait_for(what, ask, patience=PATIENCE):
    """Asks until it neither raises nor gives None."""
    end = time.monotonic() + patience
    while True:
        try:
            answer, why = ask(), "no answer"
        except (OSError, AssertionError, ValueError, KeyError, IndexError) as error:
            answer, why = None, error
        if answer is not None:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not after {patience} s: {why}")
        time.sleep(0.1)


def get(url):
    """The body of a page."""
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return answer.read().decode()


def free_ports(wanted):
    """A port of this machine for each: the one that is asked for where nobody has it, else a free one."""
    held, ports = [], []
    for port in wanted:
        it = socket.socket()
        try:
            it.bind(("127.0.0.1", port))
        except OSError:
            it.bind(("127.0.0.1", 0))
        held.append(it)
        ports.append(it.getsockname()[1])
    for it in held:
        it.close()
    return ports


def free_port():
    """A port that nobody has."""
    return free_ports([0])[0]
