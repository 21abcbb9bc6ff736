"""Hooks of Schemathesis: a check that the document lists the problem of an answer, and short waits."""

import urllib.request

import schemathesis

PREFIX = "urn:floret:problem:"


def resolved(document, value):
    """Returns the value that a reference of the document stands for."""
    while "$ref" in value:
        reference, value = value["$ref"], document
        for part in reference.removeprefix("#/").split("/"):
            value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    """Waits for no run longer than a second."""
    wait = str((case.query or {}).get("wait", ""))
    if wait.isdecimal() and int(wait) in range(2, 61):
        case.query["wait"] = 1


@schemathesis.hook
def after_call(context, case, response):
    """Ends a pause. The runs that are paused wait, and so would every request that waits for one."""
    if not case.operation.path.endswith("/pause") or response.status_code != 200:
        return
    paused = response.request
    headers = {"Authorization": paused.headers["Authorization"]}
    unpause = paused.url.replace("/pause", "/unpause")
    urllib.request.urlopen(urllib.request.Request(unpause, method="POST", headers=headers)).close()


@schemathesis.check
def problem_conformance(ctx, response, case):
    """A refusal is a problem that the document lists."""
    if response.status_code < 400:
        return
    document = case.operation.schema.raw_schema
    operation = document["paths"].get(case.operation.path, {}).get(case.method.lower())
    answer = operation and operation["responses"].get(str(response.status_code))
    if not answer:
        # Other checks judge methods and statuses that the document does not have.
        return
    listed = resolved(document, answer)["x-problem-types"]
    kind = response.json()["type"]
    assert kind.removeprefix(PREFIX) in listed, f"{kind} is none of {listed}"
