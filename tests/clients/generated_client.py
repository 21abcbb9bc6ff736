"""Generates a client from the OpenAPI document with openapi-python-client, and uses it.

Usage: generated_client.py PATH-OF-THE-STANDALONE-EXAMPLE

The client triggers a run, waits for it, reads its log and its output, pages through the runs, and cancels one.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

from standalone import KEY, WITH_KEY, served, write_orders

ROWS = 3
# The id of no run.
NO_RUN = uuid.UUID("018d0c5e-7a00-7000-8000-000000000001")


def generate(address, folder):
    """Generates the package `floret_client` from the document that the server serves."""
    request = urllib.request.Request(f"{address}/api/openapi.json", headers={"Authorization": f"Bearer {KEY}"})
    document = folder / "openapi.json"
    document.write_bytes(urllib.request.urlopen(request).read())
    config = folder / "config.json"
    config.write_text(json.dumps({"post_hooks": []}))
    generator = str(Path(sys.executable).with_name("openapi-python-client"))
    arguments = ["--path", document, "--config", config, "--meta", "none", "--fail-on-warning"]
    output = ["--output-path", folder / "floret_client"]
    subprocess.run([generator, "generate", *arguments, *output], check=True)
    sys.path.insert(0, str(folder))


def wait(client, run, statuses):
    """Waits until a run has one of these statuses and fails after 30 seconds."""
    from floret_client.api.runs import get_run

    deadline = time.monotonic() + 30
    while True:
        detail = get_run.sync(run.id, client=client)
        if detail.status in statuses:
            return detail
        assert time.monotonic() < deadline, f"the run {run.id} is {detail.status}, not {statuses}"
        time.sleep(0.02)


def save(client, name, nodes, edges=()):
    from floret_client.api.pipelines import create_pipeline
    from floret_client.models import PipelineRequest

    definition = PipelineRequest.from_dict({"name": name, "nodes": nodes, "edges": list(edges)})
    saved = create_pipeline.sync(client=client, body=definition)
    assert saved.name == name and saved.version == 1, saved
    return saved


def runs(client):
    """Runs a pipeline and reads what the run has left."""
    from floret_client.api.runs import get_preview, list_log_lines, start_run
    from floret_client.models import RunRequest, RunStatus

    nodes = [
        {"id": "read", "type": "source_file", "config": {"path": "orders.csv"}},
        {"id": "save", "type": "sink_file", "config": {"path": "out/orders.ndjson"}},
    ]
    orders = save(client, "Orders", nodes, [{"from": "read", "to": "save"}])
    body = RunRequest.from_dict({"params": {"date": "2024-01-15"}})
    run = start_run.sync(orders.id, client=client, body=body, idempotency_key="first")
    again = start_run.sync_detailed(orders.id, client=client, body=body, idempotency_key="first")
    assert again.headers["Idempotent-Replayed"] == "true" and again.parsed == run, again

    detail = wait(client, run, [RunStatus.SUCCESS, RunStatus.FAILED])
    assert detail.status == RunStatus.SUCCESS and detail.params["date"] == "2024-01-15", detail
    assert [(node.node_id, node.row_count) for node in detail.node_runs][0] == ("read", ROWS), detail
    lines = list_log_lines.sync(run.id, client=client, node_id="read")
    assert lines[0].message == "Starting node: read (source_file)", lines
    assert lines[-1].message.startswith(f"Node completed: {ROWS} rows"), lines
    preview = get_preview.sync(run.id, "read", client=client)
    assert preview.columns == ["id", "customer"] and preview.row_count == ROWS, preview
    return orders


def pages(client, orders):
    """Reads the runs of a pipeline page by page, and after a cursor."""
    from floret_client.api.runs import list_pipeline_runs, start_run
    from floret_client.models import RunStatus

    wait(client, start_run.sync(orders.id, client=client), [RunStatus.SUCCESS])
    newest = [run.id for run in list_pipeline_runs.sync(orders.id, client=client)]
    assert len(newest) == 2, newest
    second = list_pipeline_runs.sync(orders.id, client=client, page=2, per_page=1)
    assert (second.total, second.pages, [run.id for run in second.items]) == (2, 2, newest[1:]), second
    first = list_pipeline_runs.sync(orders.id, client=client, limit=1)
    assert first.has_next and [run.id for run in first.items] == newest[:1], first
    rest = list_pipeline_runs.sync(orders.id, client=client, after=first.cursor)
    assert not rest.has_next and [run.id for run in rest.items] == newest[1:], rest


def cancels(client):
    """Cancels a run, and reads the problem of a run that does not exist."""
    from floret_client.api.runs import cancel_run, get_run, start_run
    from floret_client.models import Problem, RunStatus

    slow = save(client, "Slow", [{"id": "wait", "type": "command", "config": {"command": ["sleep", "600"]}}])
    run = start_run.sync(slow.id, client=client)
    wait(client, run, [RunStatus.RUNNING])
    state = cancel_run.sync(run.id, client=client, force=True)
    assert state.id == run.id, state
    wait(client, run, [RunStatus.CANCELLED])
    absent = get_run.sync(NO_RUN, client=client)
    assert isinstance(absent, Problem) and absent.type_ == "urn:floret:problem:run-not-found", absent


def main(executable):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = folder / "data"
        write_orders(data, ROWS)
        with served(executable, data, [*WITH_KEY, "--memory", "--allow-commands"]) as address:
            generate(address, folder)
            from floret_client import AuthenticatedClient

            with AuthenticatedClient(base_url=f"{address}/api", token=KEY) as client:
                orders = runs(client)
                pages(client, orders)
                cancels(client)
    print("the generated client works")


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()))
