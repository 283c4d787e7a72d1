"""Lets Schemathesis name objects that exist, without which it would hear of nothing but that
they do not. What was right stays right, and what was wrong stays wrong.
"""

import json
import os
import re
import zlib

import schemathesis

# By the prefix of their ids, and an alias.
KNOWN = json.loads(os.environ["KNOWN_OBJECTS"])
ID = re.compile(r"(conv|user|msg|evt|wflow)_[0-7][0-9A-HJKMNP-TV-Z]{25}")
STATES = {
    "conversation": "conv",
    "user": "user",
    "bot": "bot",
    "integration": "int",
    "workflow": "wflow",
}


def sometimes(value):
    """Half of the values, always the same half."""
    return zlib.crc32(repr(value).encode("utf-8", "replace")) % 2 == 0


def known(value):
    if isinstance(value, str):
        match = ID.fullmatch(value)
        return KNOWN[match.group(1)] if match and sometimes(value) else value
    if isinstance(value, list):
        return [known(one) for one in value]
    if isinstance(value, dict):
        return {name: known(one) for name, one in value.items()}
    return value


def name_integration(fields):
    if isinstance(fields.get("integrationName"), str) and fields["integrationName"]:
        fields["integrationName"] = KNOWN["alias"]


@schemathesis.hook
def before_call(context, case, kwargs):
    # There the ids are those of earlier answers, and what is deleted must be gone.
    if case.meta.phase.name.value == "stateful" or case.method.upper() == "DELETE":
        return
    path = known(case.path_parameters or {})
    kind = path.get("type")
    if isinstance(path.get("id"), str) and isinstance(kind, str) and kind in STATES:
        path["id"] = KNOWN[STATES[kind]]
    case.path_parameters = path
    query = known(dict(case.query or {}))
    name_integration(query)
    if isinstance(query.get("nextToken"), str) and sometimes(query):
        del query["nextToken"]
    case.query = query
    if isinstance(case.body, dict):
        body = known(case.body)
        name_integration(body)
        by, tags = body.get("discriminateByTags"), body.get("tags")
        if isinstance(by, list) and by and all(isinstance(one, str) for one in by):
            if isinstance(tags, dict) and tags:
                body["discriminateByTags"] = list(tags)[:1]
        case.body = body
    for header in ("x-integration-id", "x-integration-alias"):
        if header in (case.headers or {}) and sometimes(query):
            del case.headers[header]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """What no schema can say: an empty parameter is one that is left out, and an empty body is the
    empty object. And what says of itself that nothing in it is wrong, or was made right above, is no
    wrong request."""
    if type(failure).__name__ != "AcceptedNegativeData":
        return True
    empty = any(value in ("", [], [""]) for value in (case.query or {}).values())
    body = response.request.body
    if isinstance(body, bytes) and not body:
        return False
    return not (empty or "positive test case" in failure.message)
