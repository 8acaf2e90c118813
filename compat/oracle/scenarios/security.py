"""ACLs without an authorizer, delegation tokens without a secret, SASL where there is none."""

from __future__ import annotations

from compat.oracle.run import Run, scenario
from kstream.wire.headers import request_frame
from kstream.wire.messages.create_acls import AclCreation, CreateAclsRequest
from kstream.wire.messages.create_delegation_token import CreatableRenewers, CreateDelegationTokenRequest
from kstream.wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from kstream.wire.messages.describe_acls import DescribeAclsRequest
from kstream.wire.messages.describe_delegation_token import (
    DescribeDelegationTokenOwner,
    DescribeDelegationTokenRequest,
)
from kstream.wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from kstream.wire.messages.renew_delegation_token import RenewDelegationTokenRequest
from kstream.wire.messages.sasl_authenticate import SaslAuthenticateRequest
from kstream.wire.messages.sasl_handshake import SaslHandshakeRequest

ANY, TOPIC, CLUSTER, READ, ALLOW = 1, 2, 4, 3, 3
PREFIXED = 4
_ODD = (0, -1, 99, 127)


@scenario
def describe_acls(run: Run) -> None:
    """There is no authorizer, so there are none."""
    for version in range(1, 4):
        everything = DescribeAclsRequest(resource_type_filter=ANY, operation=ANY, permission_type=ANY)
        everything.pattern_type_filter = ANY
        everything.resource_name_filter = everything.principal_filter = everything.host_filter = None
        run.call("all", everything, version)
        one = DescribeAclsRequest(resource_type_filter=TOPIC, operation=READ, permission_type=ALLOW)
        one.resource_name_filter, one.principal_filter, one.host_filter = "t", "User:a", "*"
        run.call("one", one, version)
        for number in _ODD:
            for field in ("resource_type_filter", "operation", "permission_type", "pattern_type_filter"):
                odd = DescribeAclsRequest(resource_type_filter=ANY, operation=ANY, permission_type=ANY)
                setattr(odd, field, number)
                run.call(f"{field} {number}", odd, version)


@scenario
def create_acls(run: Run) -> None:
    """There is no authorizer that could keep them."""
    for version in range(1, 4):

        def acl(**fields: object) -> AclCreation:
            creation = AclCreation(
                resource_type=TOPIC,
                resource_name="t",
                principal="User:a",
                host="*",
                operation=READ,
                permission_type=ALLOW,
            )
            for name, value in fields.items():
                setattr(creation, name, value)
            return creation

        run.call("none", CreateAclsRequest(), version)
        run.call("one", CreateAclsRequest(creations=[acl()]), version)
        two = [acl(), acl(resource_pattern_type=PREFIXED, resource_name="u")]
        run.call("two", CreateAclsRequest(creations=two), version)
        run.call("the same twice", CreateAclsRequest(creations=[acl(), acl()]), version)
        odd: dict[str, dict[str, object]] = {
            "any operation": {"operation": ANY},
            "any permission": {"permission_type": ANY},
            "no principal": {"principal": ""},
            "principal without a type": {"principal": "a"},
            "no name": {"resource_name": ""},
            "cluster of another name": {"resource_type": CLUSTER},
        }
        for field in ("resource_type", "operation", "permission_type", "resource_pattern_type"):
            odd |= {f"{field} {number}": {field: number} for number in (*_ODD, ANY)}
        for note, fields in odd.items():
            run.call(note, CreateAclsRequest(creations=[acl(**fields)]), version)
        run.call("wrong beside right", CreateAclsRequest(creations=[acl(), acl(operation=0)]), version)


@scenario
def delete_acls(run: Run) -> None:
    """There is no authorizer that has any."""
    for version in range(1, 4):
        any_acl = DeleteAclsFilter(resource_type_filter=ANY, operation=ANY, permission_type=ANY)
        any_acl.resource_name_filter = any_acl.principal_filter = any_acl.host_filter = None
        run.call("no filter", DeleteAclsRequest(), version)
        run.call("one filter", DeleteAclsRequest(filters=[any_acl]), version)
        run.call("two filters", DeleteAclsRequest(filters=[any_acl, any_acl]), version)
        for number in _ODD:
            for field in ("resource_type_filter", "operation", "permission_type", "pattern_type_filter"):
                odd = DeleteAclsFilter(resource_type_filter=ANY, operation=ANY, permission_type=ANY)
                setattr(odd, field, number)
                run.call(f"{field} {number}", DeleteAclsRequest(filters=[odd]), version)


@scenario
def delegation_tokens(run: Run) -> None:
    """Not on a listener without authentication, whoever asks."""
    for version in range(1, 4):
        run.call("new", CreateDelegationTokenRequest(max_lifetime_ms=-1), version)
        renewers = [CreatableRenewers(principal_type="User", principal_name="a")]
        request = CreateDelegationTokenRequest(max_lifetime_ms=1000, renewers=renewers)
        run.call("new, with a renewer", request, version)
        if version >= 3:
            request = CreateDelegationTokenRequest(
                max_lifetime_ms=1000, owner_principal_type="User", owner_principal_name="b"
            )
            run.call("new, of another owner", request, version)
        run.call("all", DescribeDelegationTokenRequest(owners=None), version)
        run.call("of nobody", DescribeDelegationTokenRequest(owners=[]), version)
        owner = DescribeDelegationTokenOwner(principal_type="User", principal_name="a")
        run.call("of one", DescribeDelegationTokenRequest(owners=[owner]), version)
    for version in (1, 2):
        for hmac in (b"", b"unknown"):
            named = f"{len(hmac)} bytes"
            run.call(f"renewed, {named}", RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=1), version)
            request_to_end = ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period_ms=-1)
            run.call(f"expired, {named}", request_to_end, version)


@scenario
def sasl_on_plaintext(run: Run) -> None:
    """A listener without SASL says so, and goes on."""
    for version in (0, 1):
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "GSSAPI", "", "NO-SUCH"):
            run.call(f"handshake {mechanism!r}", SaslHandshakeRequest(mechanism=mechanism), version)
    for version in range(3):
        for data in (b"", b"\0user\0password"):
            run.call(f"{len(data)} bytes", SaslAuthenticateRequest(auth_bytes=data), version)
    frame = request_frame(SaslHandshakeRequest(mechanism="PLAIN"), 1, 1, "oracle")
    run.raw("handshake and what follows", frame, key=17, version=1)
