"""Starts MiniStack 1.5.33 with the few changes that the local run needs, and stops it when its parent goes away.

Each change leans on a private name of that version. When a name is gone the start fails and says which, so that nobody
debugs a deployment that silently differs.
"""

import importlib.metadata
import json
import os
import runpy
import signal
import socketserver
import sys
import threading

VERSION = "1.5.33"


def need(holder, name):
    """The private name, or a sentence that says what to do without it."""
    found = getattr(holder, name, None)
    if found is None:
        sys.exit(f"infra/local/launch_ministack.py: MiniStack has no {holder.__name__}.{name} any more: see what the change that "
                 "needs it is for, and carry it over to this version.")
    return found


def answer_at_once():
    """Header and body leave apart, and each call waits for a first log line: together 90 ms of every request."""
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    from ministack.core import lambda_runtime

    drains = [c.__dict__["_drain_stderr_bounded"] for c in vars(lambda_runtime).values()
              if isinstance(c, type) and "_drain_stderr_bounded" in c.__dict__]
    if not drains:
        need(lambda_runtime, "Worker._drain_stderr_bounded")
    for drain in drains:
        drain.__defaults__ = (0.002, 0.002, 0.250)  # first line, idle, hard cap, in seconds


def deliver_streams_like_aws():
    """A stream mapping keeps ReportBatchItemFailures and BisectBatchOnFunctionError; MiniStack would lose the records after
    a failed one. What was delivered is remembered until the whole batch is, so that a retry brings only the rest."""
    from ministack.services import lambda_svc

    execute, poll = need(lambda_svc, "_execute_function"), need(lambda_svc, "_poll_dynamodb_streams")
    mappings = need(lambda_svc, "_iter_all_esms")
    polling, delivered = threading.local(), set()

    def number(record):
        return record["eventSourceARN"], record["dynamodb"]["SequenceNumber"]

    def mapping_of(func, records):
        name = (func.get("config") or func)["FunctionName"]
        for _, _, mapping in mappings():
            if mapping.get("EventSourceArn") == records[0]["eventSourceARN"] and mapping.get("FunctionName") == name:
                return mapping
        return {}

    def deliver(func, records, mapping):
        result = execute(func, {"Records": records})
        if result.get("error"):
            if not mapping.get("BisectBatchOnFunctionError") or len(records) == 1:
                return result
            half = len(records) // 2
            first = deliver(func, records[:half], mapping)
            return first if first.get("error") else deliver(func, records[half:], mapping)
        body = result.get("body")
        if isinstance(body, str):
            try:
                body = json.loads(body)
            except ValueError:
                body = None
        failed = set()
        if isinstance(body, dict) and "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []):
            failed = {item.get("itemIdentifier") for item in body.get("batchItemFailures") or []}
        if not failed:
            delivered.update(map(number, records))
            return result
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        first = min((numbers.index(n) for n in failed if n in numbers), default=0)
        delivered.update(map(number, records[:first]))
        return {**result, "error": True, "body": {"errorType": "PartialBatch", "errorMessage": f"{len(records) - first} records"}}

    def execute_for_stream(func, event):
        if not getattr(polling, "now", False):
            return execute(func, event)
        polling.now = False
        try:
            batch = event["Records"]
            rest = [record for record in batch if number(record) not in delivered]
            result = deliver(func, rest, mapping_of(func, batch)) if rest else {"body": None}
            if not result.get("error"):
                delivered.difference_update(map(number, batch))
            return result
        finally:
            polling.now = True

    def poll_streams():
        polling.now = True
        try:
            return poll()
        finally:
            polling.now = False

    lambda_svc._execute_function = execute_for_stream
    lambda_svc._poll_dynamodb_streams = poll_streams


def forget_stream_positions():
    """Positions in a stream outlive a restart, its records do not: kept, every new record would be taken for an old one."""
    from ministack.services import lambda_svc

    restore, streams = need(lambda_svc, "_restore_esm_positions"), need(lambda_svc, "_dynamodb_stream_positions")

    def restore_others(store, positions):
        if store is not streams:
            restore(store, positions)

    lambda_svc._restore_esm_positions = restore_others


def tell_hosts_apart():
    """All host names come under one here, and what stands before says in X-Forwarded-Host which it was. The functions read it; the
    authorizer's answers have to be remembered by it, too."""
    from ministack.services import apigateway

    sources = need(apigateway, "_request_authorizer_identity_sources")

    def sources_by_host(identity_source, headers, query_params, stage_vars, context=None):
        host = headers.get("x-forwarded-host")
        if context and host:
            context = {**context, "domainName": host}
        return sources(identity_source, headers, query_params, stage_vars, context)

    apigateway._request_authorizer_identity_sources = sources_by_host


def stop_with_parent():
    """Standard input is a pipe that the parent holds: its end is the end of the parent, however that came."""

    def wait():
        while sys.stdin.buffer.read(1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


installed = importlib.metadata.version("ministack")
if installed != VERSION:
    sys.exit(f"infra/local/launch_ministack.py: MiniStack {installed} is installed, but this is written for {VERSION}: "
             "remove .local/venv and start again.")
answer_at_once()
deliver_streams_like_aws()
forget_stream_positions()
tell_hosts_apart()
stop_with_parent()
runpy.run_module("ministack.app", run_name="__main__")
