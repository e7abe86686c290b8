"""Five calls with the client that openapi-python-client makes."""
import os
import uuid

from partner_management_api_client import AuthenticatedClient
from partner_management_api_client.api.customers import create_customer, edit_customer, get_customer, list_customers
from partner_management_api_client.models import Customer, CustomerPatch, NewCustomer, Problem
from partner_management_api_client.types import UNSET

PARTNER, BRAND = os.environ["PARTNER"], os.environ["BRAND"]
client = AuthenticatedClient(base_url=os.environ["API"], token=os.environ["KEY"])


def create(name, key):
    new = NewCustomer(partner_id=PARTNER, brand_id=BRAND, name=name, reference="R-1", domain="first.example")
    made = create_customer.sync(client=client, body=new, idempotency_key=key)
    assert isinstance(made, Customer), made
    return made


key = str(uuid.uuid4())
first, again, second = create("First", key), create("First", key), create("Second", str(uuid.uuid4()))
assert first.id == again.id != second.id
print("idempotency-key")

found, cursor = [], UNSET
while True:
    page = list_customers.sync(PARTNER, client=client, limit=1, cursor=cursor)
    assert len(page.items) <= 1
    found += [c.id for c in page.items]
    cursor = page.next_
    if not cursor:
        break
assert found == [first.id, second.id], found
print("pages")

etag = f'"{first.version}"'
edited = edit_customer.sync(first.id, client=client, body=CustomerPatch(name="Renamed"), if_match=etag)
assert (edited.name, edited.reference, edited.domain) == ("Renamed", "R-1", "first.example")
stale = edit_customer.sync_detailed(first.id, client=client, body=CustomerPatch(name="Too late"), if_match=etag)
assert stale.status_code == 412 and stale.parsed.type_ == "/problems/precondition-failed", stale
print("if-match")

absent = get_customer.sync("cus_0000000000000000", client=client)
assert isinstance(absent, Problem) and absent.type_ == "/problems/not-found", absent
print("problem")

edited = edit_customer.sync(first.id, client=client, body=CustomerPatch(reference=None))
assert edited.reference is UNSET and edited.domain == "first.example"
print("null")
