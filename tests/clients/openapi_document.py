"""Tests the standalone example against its OpenAPI document with Schemathesis, on both backends.

Usage: openapi_document.py PATH-OF-THE-STANDALONE-EXAMPLE

It fails if an answer is not in the document, if a request of the document is refused for another reason than those in
`schemathesis.toml`, or if the server fails.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from standalone import KEY, WITH_KEY, served, write_orders

HERE = Path(__file__).resolve().parent
# The same requests each time.
SEED = 1
# Keeps the check of a backend below a minute.
EXAMPLES = 10


def check(address, folder):
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{address}/api/openapi.json",
        "--header", f"Authorization: Bearer {KEY}",
        "--checks", "all",
        "--seed", str(SEED),
        "--max-examples", str(EXAMPLES),
        "--no-color",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    subprocess.run(command, cwd=folder, env=environment, check=True)


def main(executable):
    for name, options in [("memory", lambda _: ["--memory"]), ("SQLite", lambda folder: ["--db", str(folder / "runs.db")])]:
        print(f"the document on {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            data = folder / "data"
            write_orders(data, 3)
            with served(executable, data, [*WITH_KEY, *options(folder)]) as address:
                check(address, folder)


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
