"""What came of a demo, whether it adds up, and the table that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Tally:
    """Alerts of one rule: as plain Python counts them, as the broker lists them, as webhooks told of them."""

    rule: str
    expected: int
    raised: int
    delivered: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that a demo counted.

    `forged` webhooks had a wrong signature, `repeated` came more than once. `writing` is the seconds from
    the first request to the last answer, `storing` to the last record stored; `to_webhook` holds, for each
    notification, the seconds from its record's request to the webhook.
    """

    records: int
    requests: int
    retried: int
    accepted: int
    stored: int
    tallies: tuple[Tally, ...]
    forged: int
    repeated: int
    writing: float
    storing: float
    to_webhook: tuple[float, ...]

    def differences(self) -> list[str]:
        """Return what does not add up, a sentence each."""
        found = [
            f"The rule {tally.rule} should have raised {tally.expected} alerts; it raised {tally.raised}, "
            f"and webhooks told of {tally.delivered}."
            for tally in self.tallies
            if not tally.expected == tally.raised == tally.delivered
        ]
        if self.accepted != self.records:
            found.append(f"{self.records} records were sent and {self.accepted} acknowledged.")
        if self.stored != self.records:
            found.append(f"{self.records} records were sent and {self.stored} stored.")
        if self.forged:
            found.append(f"{self.forged} webhooks were not signed as they should be.")
        return found

    def table(self) -> Table:
        """Return the closing table."""
        table = Table(title="Sluice: what was sent, and what came of it", title_justify="left")
        table.add_column("")
        for heading in ("expected", "came"):
            table.add_column(heading, justify="right")
        table.add_column("")
        table.add_row("records written", _number(self.records), _number(self.accepted))
        table.add_row("records stored", _number(self.records), _number(self.stored), end_section=True)
        for tally in self.tallies:
            expected = _number(tally.expected)
            table.add_row(f"alerts of {tally.rule}, raised", expected, _number(tally.raised))
            table.add_row("  delivered", expected, _number(tally.delivered), end_section=True)
        table.add_row("requests", "", _number(self.requests), f"sent again: {self.retried}")
        table.add_row("webhooks, badly signed", "0", _number(self.forged))
        table.add_row("webhooks, come twice", "", _number(self.repeated), end_section=True)
        table.add_row("written a second", "", _rate(self.records, self.writing), _s(self.writing))
        table.add_row("stored a second", "", _rate(self.records, self.storing), _s(self.storing))
        if self.to_webhook:
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                took = f"{percentile(self.to_webhook, share) * 1e3:,.1f} ms"
                table.add_row(f"write to webhook, {name}", "", took, "at full speed")
        return table


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of `values` that at least `share` (0-1) of them do not exceed.

    Raises: ValueError where there are none.
    """
    if not values:
        raise ValueError("There is no percentile of nothing.")
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _number(value: int) -> str:
    return f"{value:,}"


def _rate(count: int, seconds: float) -> str:
    return _number(round(count / seconds)) if seconds > 0 else "-"


def _s(seconds: float) -> str:
    return f"in {seconds:.2f} s"
