"""The tables. A change here needs a migration in `migrations`; a test compares both."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

searches = Table(
    "searches",
    metadata,
    Column("id", String(22), primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", JSON, nullable=False),
    Column("trainings", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("queued", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("holder", String(200)),
    Column("beat", BigInteger, nullable=False),
    Column("cancel", Boolean, nullable=False),
    Column("events", Integer, nullable=False),
    Column("progress", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("metric", JSON(none_as_null=True)),
    Index("searches_by_state", "state", "queued"),
    Index("searches_by_owner", "owner", "created"),
)
"""Searches, which are also the queue. `holder` is the worker that runs the search; `beat` grows while it lives."""

events = Table(
    "events",
    metadata,
    Column("search", String(22), ForeignKey("searches.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""What happened to a search, numbered from 1 without gaps."""

uploads = Table(
    "uploads",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("name", String(200), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("uploads_by_owner", "owner"),
)
"""Uploaded files; `kind` is ``model``, ``csv`` or ``npz``."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("name", String(100), nullable=False),
    Column("scopes", String(40), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
)
"""Access tokens; only their SHA-256 is stored."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", String(32), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("search", String(22), nullable=False),
    Column("created", BigInteger, nullable=False),
)
"""Which search a request with an ``Idempotency-Key`` created."""

removals = Table(
    "removals",
    metadata,
    Column("kind", String(8), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("created", BigInteger, nullable=False),
)
"""Files of deleted searches and uploads that are still to be removed."""

spent = Table(
    "spent",
    metadata,
    Column("search", String(22), primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("trainings", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Index("spent_by_owner", "owner", "created"),
)
"""Trainings of deleted searches, which still count for the quota of their day."""

predictions = Table(
    "predictions",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("answer", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
)
"""Answers of the predictor, as JSON, by the hash of the question."""
