"""postgresql.conf of the private cluster: every setting with its reason (pure)."""

import os
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class Setting:
    name: str
    value: str
    why: str


def memory_mib() -> int:
    """The machine's memory in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB


def shared_buffers_mib(memory: int) -> int:
    """A quarter of the memory, at least 128 MiB, at most 2 GiB: ingest seldom rereads."""
    return max(128, min(memory // 4, 2048))


def settings(*, port: int, socket_directory: Path, memory: int) -> list[Setting]:
    """Every setting that differs from PostgreSQL's default; `memory` in MiB."""
    return [
        *_connection(port, socket_directory),
        *_memory(memory),
        *_log(),
        *_write_ahead_log(),
        *_planner(),
        *_autovacuum(),
        *_timescaledb(),
    ]


def render(listed: list[Setting]) -> str:
    lines = [
        "# Written by `manage.py provision` on every run. Your changes go into local.conf beside this.",
        "",
    ]
    for setting in listed:
        lines += [f"# {setting.why}", f"{setting.name} = {setting.value}"]
    return "\n".join([*lines, "", "include_if_exists = 'local.conf'", ""])


def _connection(port: int, socket_directory: Path) -> list[Setting]:
    quoted = str(socket_directory).replace("'", "''")
    return [
        Setting("port", str(port), "Chosen free when the cluster was made; never the distribution's 5432."),
        Setting("listen_addresses", "'127.0.0.1'", "This cluster serves this machine only."),
        Setting("unix_socket_directories", f"'{quoted}'", "Cheaper than TCP; the folder is private."),
        Setting("max_connections", "100", "Pools are small: each process holds at most 8."),
        Setting("password_encryption", "scram-sha-256", "No password is stored or sent in the clear."),
        Setting("idle_in_transaction_session_timeout", "60s",
                "Backstop: a frozen client must not keep its locks. Each process asks for less."),
        Setting("client_connection_check_interval", "2s", "A killed client's query ends with it."),
        Setting("tcp_keepalives_idle", "30", "Notice a client that is gone, and free its locks."),
        Setting("tcp_keepalives_interval", "10", "As above."),
        Setting("tcp_keepalives_count", "3", "As above."),
        Setting("timezone", "'UTC'", "Every time in Streamgauge is UTC."),
    ]  # fmt: skip


def _memory(memory: int) -> list[Setting]:
    return [
        Setting(
            "shared_buffers", f"{shared_buffers_mib(memory)}MB", "A quarter of the memory, at most 2 GiB."
        ),
        Setting("effective_cache_size", f"{max(256, memory // 2)}MB", "What the kernel caches besides."),
        Setting("work_mem", "16MB", "Grouping by type and source should stay off the disk."),
        Setting(
            "maintenance_work_mem",
            f"{max(64, min(memory // 16, 512))}MB",
            "Vacuum and index builds in one pass.",
        ),
        Setting(
            "max_locks_per_transaction", "256", "A query over months of one-day chunks locks each chunk."
        ),
    ]


def _write_ahead_log() -> list[Setting]:
    return [
        Setting("fsync", "on", "A 2xx means stored: never off."),
        Setting(
            "synchronous_commit", "on", "COMMIT returns once the log is on disk: what an answer promises."
        ),
        Setting("full_page_writes", "on", "A torn page after a power cut must be repairable."),
        Setting(
            "wal_compression", "lz4", "Page images after a checkpoint are most of the log; lz4 halves them."
        ),
        Setting("wal_buffers", "64MB", "A flush of thousands of rows fits without a write in the middle."),
        Setting("min_wal_size", "1GB", "Recycle log files rather than create them under load."),
        Setting("max_wal_size", "4GB", "Checkpoints by time, not by volume: fewer page images."),
        Setting("checkpoint_timeout", "15min", "As above; a crash still recovers within a minute or two."),
        Setting(
            "checkpoint_completion_target", "0.9", "Spread a checkpoint's writes, so that ingest feels none."
        ),
        Setting("bgwriter_lru_maxpages", "400", "Keep clean pages at hand for inserts."),
    ]


def _planner() -> list[Setting]:
    return [
        Setting("effective_io_concurrency", "200", "Solid-state disks like many reads at once."),
        Setting(
            "random_page_cost", "1.1", "On solid-state disks an index read costs hardly more than a scan."
        ),
        Setting("jit", "off", "Compiling costs more than our short queries, most of all over many chunks."),
    ]


def _autovacuum() -> list[Setting]:
    return [
        Setting("autovacuum_naptime", "10s", "event_segment is a queue: its dead rows must go quickly."),
        Setting("autovacuum_vacuum_scale_factor", "0.05", "As above."),
        Setting(
            "autovacuum_vacuum_insert_scale_factor", "0.1", "Freeze insert-only chunks while they are warm."
        ),
        Setting("autovacuum_analyze_scale_factor", "0.05", "Young chunks change fast; plans follow."),
        Setting("autovacuum_vacuum_cost_limit", "2000", "The default of 200 falls behind steady ingest."),
    ]


def _timescaledb() -> list[Setting]:
    return [
        Setting("shared_preload_libraries", "'timescaledb'", "The extension must be loaded at start."),
        Setting("timescaledb.telemetry_level", "off", "Nothing leaves this machine."),
        Setting(
            "timescaledb.max_background_workers", "8", "One scheduler for each database, tests' included."
        ),
        Setting("max_worker_processes", "20", "Room for those, and for parallel queries."),
    ]


def _log() -> list[Setting]:
    return [
        Setting("logging_collector", "on", "Rotate: a week of logs, then overwrite."),
        Setting(
            "log_directory", "'../log'", "Beside the data, so that removing data keeps no reader waiting."
        ),
        Setting("log_filename", "'postgresql-%a.log'", "One file for each weekday."),
        Setting("log_rotation_age", "1d", "As above."),
        Setting("log_truncate_on_rotation", "on", "As above."),
        Setting("log_min_duration_statement", "1s", "Slow statements show in the log."),
        Setting("log_lock_waits", "on", "So do waits on locks."),
        Setting("log_autovacuum_min_duration", "10s", "So do long vacuums."),
        Setting("log_timezone", "'UTC'", "One clock in every log."),
        Setting("cluster_name", "'streamgauge'", "Shows in the process list."),
    ]
