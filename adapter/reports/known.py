"""The canonical elements that a layout may name, and of which kind each is."""

from __future__ import annotations

from adapter.reports.elements import ELEMENTS
from adapter.reports.outreach import ATTEMPTS

# Elements of the row itself: its number in the file, when it was written, whether it takes back
# what an earlier file told.
LINES = frozenset({"sequence", "sent_at", "void"})
# What stands in every row whatever it tells of; no state of a member.
FILE = LINES | {
    "payer_id", "mcp_name", "produced_on", "period",
    "prov_name", "prov_npi", "prov_tin", "prov_phone",
}  # fmt: skip
KNOWN = frozenset(ELEMENTS) | frozenset(ATTEMPTS) | LINES
# Elements that say "new": the elements that must differ from what the last file told.
RENEWED = {
    "new_address_ind": ("res_address", "street", "street2", "res_city", "res_state", "res_zip"),
    "new_phone_ind": ("phone", "phone_cell", "phone_home", "phone_work"),
}
