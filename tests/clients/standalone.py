"""Starts the standalone example for the checks of this folder."""

import contextlib
import os
import subprocess

KEY = "a-key-of-the-tests"
WITH_KEY = ["--api-key", KEY]


def write_orders(data, rows):
    """Writes the file that the pipelines of the checks read, and makes the folder that they write to."""
    (data / "out").mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{number},customer {number}\n" for number in range(rows))
    (data / "orders.csv").write_text("id,customer\n" + lines)


@contextlib.contextmanager
def served(executable, data, options):
    """Serves the API on a free port with these options and this data folder, and yields its address."""
    arguments = ["--listen", "127.0.0.1:0", "--data-dir", str(data), *options]
    environment = {**os.environ, "RUST_LOG": "off", "FLORET_SECRET_KEY": "07" * 32}
    server = subprocess.Popen([executable, *arguments], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = server.stdout.readline().strip()
        assert line.startswith("listening on "), f"unexpected output: {line!r}"
        yield line.removeprefix("listening on ")
        assert server.poll() is None, "the server has ended by itself"
    finally:
        server.terminate()
        server.wait(timeout=60)
