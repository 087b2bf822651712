"""Which URLs and IP addresses a webhook may have."""

from __future__ import annotations

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.service.webhook import WebhookMessage, deliver
from anemonefish.service.webhook_address import check_url, is_public
from tests.fakes.webhook_receiver import BODY, ID, KEY


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org",
        "https://hooks.example.org/",
        "HTTPS://Hooks.Example.org/a/b;c?token=x&y=%20@z",
        "https://hooks.example.org?token=x",
        "https://hooks.example.org:443/x",
        "https://hooks.example.org:1024/x",
        "https://hooks.example.org:65535/x",
        "https://my_service.xn--bcher-kva.example/x",
        "https://93.184.216.34/x",
        "https://[2606:2800:220:1:248:1893:25c8:1946]:8443/x",
        "https://hooks.example.org/" + "x" * (2_048 - 26),
    ],
)
def test_acceptable_url_passes(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "plain ASCII"),
        ("http://hooks.example.org/x", "must read https"),
        ("ftp://hooks.example.org/x", "must read https"),
        ("//hooks.example.org/x", "must read https"),
        ("hooks.example.org/x", "must read https"),
        ("https:///x", "must read https"),
        ("https:/hooks.example.org/x", "must read https"),
        ("https://user@hooks.example.org/x", "no user name"),
        ("https://user:word@hooks.example.org/x", "no user name"),
        ("https://hooks.example.org@10.0.0.1/x", "no user name"),
        ("https://hooks.example.org\\@10.0.0.1/x", "plain ASCII"),
        ("https://hooks.example.org\\.evil.org/x", "plain ASCII"),
        ("https://hooks.example.org/x#y", "no fragment"),
        ("https://10.0.0.1#hooks.example.org/", "no fragment"),
        ("https://hooks.example.org/x#", "no fragment"),
        ("https://hooks.example.org/a b", "plain ASCII"),
        ("https://hooks.example.org/\n", "plain ASCII"),
        ("https://hooks.exa\tmple.org/", "plain ASCII"),
        ("https://hooks.example.org/x\r\nX-Header: y", "plain ASCII"),
        ("https://büch.example/x", "plain ASCII"),
        ("https://１27.0.0.1/", "plain ASCII"),
        ("https://hooks.example.org:80/x", "port 443"),
        ("https://hooks.example.org:22/x", "port 443"),
        ("https://hooks.example.org:1023/x", "port 443"),
        ("https://hooks.example.org:0/x", "port 443"),
        ("https://hooks.example.org:65536/x", "port 443"),
        ("https://hooks.example.org:/x", "must read https"),
        ("https://hooks.example.org:x/x", "must read https"),
        ("https://hooks.example.org:443:443/x", "must read https"),
        ("https://localhost/x", "public host"),
        ("https://localhost:8443/x", "public host"),
        ("https://hooks.example.org./x", "public host"),
        ("https://.example.org/x", "public host"),
        ("https://hooks..org/x", "public host"),
        ("https://-hooks.example.org/x", "public host"),
        ("https://hooks.example.org%2f.evil/x", "public host"),
        ("https://2130706433/", "public host"),
        ("https://0x7f000001/", "public host"),
        ("https://0x7f.1/", "public host"),
        ("https://127.1/", "public host"),
        ("https://0177.0.0.1/", "public host"),
        ("https://127.0.0.1/", "public host"),
        ("https://10.1.2.3/", "public host"),
        ("https://169.254.169.254/latest/meta-data/", "public host"),
        ("https://[::1]/", "public host"),
        ("https://[fd00:ec2::254]/latest/meta-data/", "public host"),
        ("https://[::ffff:169.254.169.254]/", "public host"),
        ("https://[93.184.216.34]/", "public host"),
        ("https://[2606:2800:220:1::1%25eth0]/", "must read https"),
        ("https://[::1]evil.org/", "must read https"),
        ("https://::1/", "must read https"),
        ("https://" + "a." * 126 + "example/", "public host"),
        ("https://" + "a" * 64 + ".example/", "public host"),
        ("https://hooks.example.org/" + "x" * (2_048 - 25), "at most 2048"),
    ],
)
def test_unacceptable_url_is_refused_with_the_rule_it_breaks(url: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        check_url(url)
    with pytest.raises(InvalidRequest, match=why):
        deliver(WebhookMessage(ID, url, BODY), [KEY])


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
     "2002:808:808::1"],
)  # fmt: skip
def test_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.255",
        "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
        "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
        "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::2", "::127.0.0.1", "::8.8.8.8", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
        "fec0::1", "ff02::1", "100::1", "2001::1", "2001:0:808:808::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8",
        "2002:a00:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
        "", "hooks.example.org", "1.2.3", "2130706433",
    ],
)  # fmt: skip
def test_special_purpose_address_is_not_public(address: str) -> None:
    assert not is_public(address)
