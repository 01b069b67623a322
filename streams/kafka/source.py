"""Where Faust reads a role's topic in Kafka."""

from dataclasses import dataclass
from typing import Final

from faust.transport.drivers import TRANSPORTS

from streams.agents.worker import Source
from streams.kafka.hold import GroupHold
from streams.kafka.log import KafkaLog

SCHEME: Final = "kafka-sluice"

# by name, for the transport reads a source
TRANSPORTS.aliases[SCHEME] = "streams.kafka.transport:Transport"


@dataclass(frozen=True, slots=True)
class KafkaSource(Source):
    """A source whose partitions are shared out among the workers of a consumer group."""

    hold: GroupHold | None = None


def source_of(log: KafkaLog, role: str, topic: str, hold: GroupHold) -> KafkaSource:
    """Return where a role's workers read a topic of a log."""
    return KafkaSource(
        url=";".join(f"{SCHEME}://{server}" for server in log.connection.servers),
        topic=log.name_of(topic),
        group=log.name_of(role),
        session=hold.session,
        hold=hold,
    )
