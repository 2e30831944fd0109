"""How much memory a program takes."""

from __future__ import annotations

import subprocess
import sys


def peak(*words: str) -> int:
    """The most memory, in bytes, that a command takes, or a process that it starts."""
    ask = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True);"
    ask += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", ask, *words], capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024
