"""Starts MiniStack 1.5.33 with the few changes that the local run needs, and stops it when its parent goes away.

Each change leans on a private name of that version. When a name is gone the start fails and says which, so that nobody
debugs a deployment that silently differs.
"""

import contextvars
import email.utils
import importlib.metadata
import json
import os
import re
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


def enforce_iam():
    """What a role may not do on AWS, nobody who has it may do here. MiniStack's own enforcement knows the role of each function, and takes a
    transaction for its parts. It lacks what keys of items are asked for, by which conditions bound some roles, and the sender of a mail.
    Each right that was used goes to rights.jsonl, once, so that the rights that nobody uses can be told. The CDK's own roles are free."""
    os.environ["AUTH"] = "true"
    from ministack.core import iam_actions, iam_evaluator

    checks_of, context_of = need(iam_actions, "dynamodb_transaction_checks"), need(iam_actions, "dynamodb_service_context")
    ses_arn = need(iam_actions, "extract_resource_arn")
    enforce, pin = need(iam_evaluator, "enforce"), need(iam_evaluator, "pin_request_origin")
    caller = need(iam_evaluator, "resolve_caller_identity")
    parts, mail = contextvars.ContextVar("parts", default=iter(())), contextvars.ContextVar("mail", default=None)
    used, lock = set(), threading.Lock()

    def key(item):
        return (item.get("Key") or item.get("Item"))["pk"]["S"]

    def transaction_checks(action, body, region, account):
        checks = checks_of(action, body, region, account)
        if checks:  # one for each part, in their order
            parts.set(iter([key(one) for part in json.loads(body)["TransactItems"] for one in part.values()]))
        return checks

    def leading_keys(body):
        data = json.loads(body or b"{}")
        for requests in (data.get("RequestItems") or {}).values():
            for keys in requests["Keys"] if isinstance(requests, dict) else [key(one) for r in requests for one in r.values()]:
                yield keys["pk"]["S"] if isinstance(keys, dict) else keys
        if "Key" in data or "Item" in data:
            yield key(data)
        # Of a key's condition the equality is that of the partition key: the sort key's is a range in all of our queries.
        for value in re.findall(r"=\s*(:\w+)", re.sub(r"[<>]=", "", data.get("KeyConditionExpression", ""))):
            yield data["ExpressionAttributeValues"][value]["S"]

    def context_with_keys(body):
        keys = sorted(set(leading_keys(body)))
        return {**context_of(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}

    def arn_with_sender(service, method, path, headers, body, *rest):
        arn = ses_arn(service, method, path, headers, body, *rest)
        mail.set(None)
        if service == "ses" and path.endswith("/outbound-emails"):
            sent, (region, account) = json.loads(body), rest[-2:]
            domain = email.utils.parseaddr(sent["FromEmailAddress"])[1].rpartition("@")[2]
            mail.set(f"arn:aws:ses:{region}:{account}:configuration-set/{sent['ConfigurationSetName']}")
            arn = f"arn:aws:ses:{region}:{account}:identity/{domain}"
        return arn

    def enforce_and_note(access_key, action, service, region, resource_arn="*", service_context=None):
        arn = str((caller(access_key) or {}).get("userArn"))
        if "assumed-role/cdk-" in arn:
            return enforce("test", action, service, region, resource_arn=resource_arn)
        context = service_context or {}
        if "dynamodb:EnclosingOperation" in context:
            context = {**context, "dynamodb:LeadingKeys": [next(parts.get())]}
        resources, denied = [resource_arn, mail.get()] if action == "ses:SendEmail" else [resource_arn], None
        for resource in resources:
            denied = denied or enforce(access_key, action, service, region, resource_arn=resource, service_context=context)
        if denied and ":assumed-role/" in arn:
            print(f"IAM refused {arn} {action} on {resource_arn} {context.get('dynamodb:LeadingKeys')}", file=sys.stderr, flush=True)
        elif ":assumed-role/" in arn:
            note(arn.split("/")[1], action, resources, context.get("dynamodb:LeadingKeys") or [""])
        return denied

    def note(role, action, resources, keys):
        with lock:
            for resource in resources:
                for prefix in {k.partition("#")[0] + "#" if k else "" for k in keys}:
                    right = (role, action, resource, prefix)
                    if right not in used:
                        used.add(right)
                        with open("rights.jsonl", "a") as f:
                            print(json.dumps(dict(zip(("role", "action", "resource", "keys"), right))), file=f)

    iam_actions.dynamodb_transaction_checks, iam_actions.dynamodb_service_context = transaction_checks, context_with_keys
    iam_actions.extract_resource_arn, iam_evaluator.enforce = arn_with_sender, enforce_and_note
    iam_evaluator.pin_request_origin = lambda address, secure: pin(address, True)  # queues' policies ask for TLS, which all have on AWS


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
enforce_iam()
stop_with_parent()
runpy.run_module("ministack.app", run_name="__main__")
