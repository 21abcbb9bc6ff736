"""Starts the standalone example for the checks of the OpenAPI document."""

import contextlib
import os
import subprocess

KEY = "a-key-of-the-tests"
ROWS = 3


@contextlib.contextmanager
def served(executable, folder, storage):
    """Serves the API with the key KEY, and yields its address. `storage` are the options of a backend.

    The data folder has the file that the example of a pipeline reads.
    """
    data = folder / "data"
    (data / "out").mkdir(parents=True)
    rows = "".join(f"{number},customer {number}\n" for number in range(ROWS))
    (data / "orders.csv").write_text("id,customer\n" + rows)
    arguments = ["--listen", "127.0.0.1:0", "--data-dir", str(data), "--api-key", KEY, *storage]
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
