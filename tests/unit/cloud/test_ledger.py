"""Usage of a tenant: a limited set of names and a limited sum."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from anemonefish.cloud.ledger import Account, Ledger


def test_set_is_limited(name: str) -> None:
    ledger = Ledger(name)
    assert [ledger.enter("reef", each, 2) for each in ("a", "b", "a", "c")] == [True, True, True, False]
    ledger.leave("reef", "b")
    ledger.leave("reef", "never in")
    ledger.leave("nobody", "a")
    assert ledger.enter("reef", "c", 2)
    assert ledger.enter("reef", "d", None)
    assert ledger.read("reef").running == {"a", "c", "d"}
    assert ledger.read("nobody") == Account()


def test_emptied_set_takes_names_again(name: str) -> None:
    ledger = Ledger(name)
    ledger.enter("reef", "a", 1)
    ledger.leave("reef", "a")
    assert ledger.enter("reef", "b", 1)


def test_sum_is_limited(name: str) -> None:
    ledger = Ledger(name)
    assert not ledger.add("reef", 11, 10, "2026")
    assert [ledger.add("reef", amount, 10, "2026") for amount in (6, 5, 4, 1)] == [True, False, True, False]
    ledger.subtract("reef", 3)
    ledger.subtract("nobody", 3)
    account = ledger.read("reef")
    assert (account.stored, account.changes, account.changed) == (7, 3, "2026")
    assert ledger.correct("reef", account, 2)
    assert not ledger.correct("reef", account, 9)  # it has changed since
    assert ledger.read("reef").stored == 2


def test_concurrent_additions_do_not_exceed_the_limit(name: str) -> None:
    ledger = Ledger(name)
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: ledger.add("reef", 1, 10, "2026"), range(40))) == 10
        assert sum(pool.map(lambda number: ledger.enter("reef", f"{number}", 3), range(40))) == 3
