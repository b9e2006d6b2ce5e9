"""The table of what the FHIR API does; routes and CapabilityStatement both come from it."""

from __future__ import annotations

from adapter.api.bundle import process
from adapter.api.call import Action
from adapter.api.capability import capabilities
from adapter.api.match import match
from adapter.api.messaging import process_message
from adapter.api.read import explain, history, read, vread
from adapter.api.search import search
from adapter.api.write import create, delete, update, update_where, validate

ACTIONS = (
    Action("capabilities", "GET", "/metadata", capabilities, "what this server does"),
    Action("transaction", "POST", "", process, "a Bundle: transaction whole, or batch one by one"),
    Action("$process-message", "POST", "/$process-message", process_message, "take a message"),
    Action("$match", "POST", "/Patient/$match", match, "who a person may be, with scores"),
    Action("read", "GET", "/{kind}/{uid}", read, "the current version"),
    Action("vread", "GET", "/{kind}/{uid}/_history/{version}", vread, "one version"),
    Action("history-instance", "GET", "/{kind}/{uid}/_history", history, "all versions"),
    Action("search-type", "GET", "/{kind}", search, "search"),
    Action("search-type", "POST", "/{kind}/_search", search, "search, parameters in the body"),
    Action("create", "POST", "/{kind}", create, "a new resource; If-None-Exist"),
    Action("update", "PUT", "/{kind}/{uid}", update, "replace or create; If-Match"),
    Action("update", "PUT", "/{kind}", update_where, "replace what the criteria match"),
    Action("delete", "DELETE", "/{kind}/{uid}", delete, "mark deleted"),
    Action("$validate", "POST", "/{kind}/$validate", validate, "check a resource"),
    Action("$validate", "GET", "/{kind}/{uid}/$validate", validate, "check a stored resource"),
    Action("$validate", "POST", "/{kind}/{uid}/$validate", validate, "check a change"),
    Action("$explain", "GET", "/{kind}/{uid}/$explain", explain, "source of each value"),
)
