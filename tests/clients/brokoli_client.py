"""Tests the standalone example with the unchanged Python client of the previous system (`brokoli` 0.11.0).

Usage: brokoli_client.py PATH-OF-THE-STANDALONE-EXAMPLE

Starts the example on a free port with a temporary data folder, checks the results of the client, and stops it.
The API itself is tested in `tests/it`. This script only checks that the client works with it.
"""

import csv
import sys
import tempfile
import time
from pathlib import Path

from brokoli import APIError, Client, Pipeline, RunFailed, sink_file, source_file
from brokoli.exceptions import CompatibilityError
from standalone import served, write_orders

ROWS = 25


class WithCommand(Pipeline):
    """A pipeline with one `command` node, for which the client has no function."""

    def __init__(self, name, command):
        super().__init__(name)
        self.command = command

    def to_json(self):
        definition = super().to_json()
        definition["nodes"].append(
            {"id": "work", "type": "command", "name": "Work", "config": {"command": self.command, "effect": "source"}}
        )
        return definition


def wait_for_status(run, status):
    """Waits until a run has this status and fails after 30 seconds."""
    deadline = time.monotonic() + 30
    while run.status() != status:
        assert time.monotonic() < deadline, f"{run!r} is {run.status()}, not {status}"
        time.sleep(0.02)


def deploys(client):
    with Pipeline("Daily Orders", description="copies the orders") as pipeline:
        orders = source_file("Read orders", path="orders.csv", format="csv")
        sink_file("Save orders", input=orders, path="saved.csv", format="csv")
    remote = client.deploy(pipeline)
    assert remote["pipeline_id"] == "daily-orders", remote
    assert [node["type"] for node in remote["nodes"]] == ["source_file", "sink_file"], remote
    second = client.deploy(pipeline)
    assert second["id"] == remote["id"], "the second deploy replaces the first"
    assert [item["id"] for item in client.pipelines()] == [remote["id"]]
    assert client.pipeline("Daily Orders")["id"] == remote["id"]
    source, sink = (node["id"] for node in remote["nodes"])
    return pipeline, source, sink


def fails_and_resumes(client, pipeline, source, sink, data):
    """The run fails because its file is missing. The resumed run finds the file."""
    failed = client.run(pipeline, params={"date": "2024-01-15"})
    try:
        failed.wait(timeout=60, raise_on_failure=True)
    except RunFailed as failure:
        assert failure.detail["status"] == "failed", failure.detail
    else:
        raise AssertionError("a run without its input file did not fail")
    statuses = {node["node_id"]: node["status"] for node in failed.node_runs()}
    assert statuses == {source: "failed", sink: "skipped"}, statuses
    errors = failed.logs(level="error")
    assert [entry["node_id"] for entry in errors] == [source], errors

    write_orders(data, ROWS)
    resumed = failed.resume()
    detail = resumed.wait(timeout=60)
    assert detail["status"] == "success", detail
    assert detail["resumed_from"] == failed.id, detail
    assert len(list(csv.reader(open(data / "saved.csv")))) == ROWS + 1
    return failed


def runs(client, pipeline, source, sink):
    run = client.run("daily-orders")
    detail = run.wait(timeout=60, raise_on_failure=True)
    assert detail["status"] == "success", detail
    assert run.node_runs()[0]["row_count"] == ROWS, detail

    messages = [entry["message"] for entry in run.logs(node=source)]
    assert messages[0] == "Starting node: Read orders (source_file)", messages
    assert messages[-1].startswith(f"Node completed: {ROWS} rows"), messages

    preview = run.node_preview(source)
    assert preview["columns"] == ["id", "customer"], preview
    assert len(preview["rows"]) == ROWS and preview["rows"][0] == {"id": 0, "customer": "customer 0"}, preview
    try:
        run.node_preview("nothing")
    except APIError as error:
        assert error.status == 404, error
    else:
        raise AssertionError("an unknown node has a preview")


def dry_runs(client, pipeline, source, sink, data):
    saved = (data / "saved.csv").read_bytes()
    (data / "saved.csv").unlink()
    nodes = client.dry_run(pipeline)
    assert list(nodes) == [source, sink], nodes
    assert nodes[source]["status"] == "success" and len(nodes[source]["rows"]) == 10, nodes
    assert nodes[sink]["status"] == "skipped" and nodes[sink]["rows"] == nodes[source]["rows"], nodes
    assert not (data / "saved.csv").exists(), "a dry run wrote a file"
    (data / "saved.csv").write_bytes(saved)


def resumes_from_a_node(client):
    """The node fails until a file with the suffix `.ready` exists, and counts its starts."""
    script = 'echo "{\\"n\\": 1}"; echo x >> "$0"; test -e "$0.ready"'
    with tempfile.TemporaryDirectory() as folder:
        starts = Path(folder) / "starts"
        with WithCommand("Flaky", ["sh", "-c", script, str(starts)]) as pipeline:
            pass
        client.deploy(pipeline, validate=False)
        failed = client.run(pipeline)
        assert failed.wait(timeout=60)["status"] == "failed"
        Path(f"{starts}.ready").touch()
        resumed = client.resume(failed.id, from_node="work")
        assert resumed.wait(timeout=60)["status"] == "success"
        assert starts.read_text() == "x\nx\n"
    client.delete_pipeline(pipeline)


def cancels(client):
    with WithCommand("Slow", ["sleep", "1"]) as pipeline:
        pass
    client.deploy(pipeline, validate=False)
    run = client.run(pipeline)
    wait_for_status(run, "running")
    cancelled = run.cancel()
    assert cancelled["id"] == run.id, cancelled
    detail = run.wait(timeout=60)
    assert detail["status"] == "cancelled", detail
    client.delete_pipeline(pipeline)


def refuses_an_unknown_node_type(client):
    class Strange(WithCommand):
        def to_json(self):
            definition = super().to_json()
            definition["nodes"][0]["type"] = "source_db"
            return definition

    with Strange("Strange", ["true"]) as pipeline:
        pass
    try:
        client.deploy(pipeline, validate=False)
    except CompatibilityError as error:
        assert "source_db" in str(error), error
    else:
        raise AssertionError("an unknown node type was deployed")


def deletes(client, pipeline, failed):
    client.delete_pipeline(pipeline)
    assert client.pipelines() == []
    try:
        client.run("daily-orders")
    except APIError as error:
        assert error.status == 404, error
    else:
        raise AssertionError("a deleted pipeline was run")
    assert failed.detail()["status"] == "failed", "runs of a deleted pipeline remain readable"


def check(client, data):
    pipeline, source, sink = deploys(client)
    failed = fails_and_resumes(client, pipeline, source, sink, data)
    runs(client, pipeline, source, sink)
    dry_runs(client, pipeline, source, sink, data)
    resumes_from_a_node(client)
    cancels(client)
    refuses_an_unknown_node_type(client)
    deletes(client, pipeline, failed)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = folder / "data"
        data.mkdir()
        options = ["--db", str(folder / "runs.db"), "--allow-commands"]
        with served(sys.argv[1], data, options) as address:
            check(Client(address), data)
    print("the Python client works unchanged")


if __name__ == "__main__":
    main()
