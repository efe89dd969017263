"""Every ended call goes into the ledger."""

from __future__ import annotations

from addons.ledger import Ledger
from llmitm.call import CallRecord, call_of
from tests.support.stage import Stage, flow_of


class Book:
    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def append(self, record: CallRecord) -> None:
        self.records.append(record)


def test_records(stage: Stage) -> None:
    """The frozen record goes in, once; a call that has none does not."""
    book = Book()
    stage.configure(ledger=book)
    flow = flow_of()
    Ledger().call_end(flow)
    call = call_of(flow)
    call.record = call.freeze()
    Ledger().call_end(flow)
    assert book.records == [call.record]
