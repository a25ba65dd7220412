"""Agent: whether gobeacon itself does its work: utilisation, saturation, errors."""

from . import parts
from .board import Board
from .common import ANY_WARNING, alerts_firing
from .parts import BLUE, GREEN, ORANGE, RED, colored, in_range, p, per_hour, per_second, share, steps

LAG = steps((60, ORANGE))
UNDELIVERED = steps((600, ORANGE))
# starting and what is switched off are no faults
FAULTS = 'reason=~"stopped|crashed", NODE'


def board():
    made = Board("agent", "Agent", "Whether gobeacon itself does its work.")
    made.row(*numbers(), height=4, widths=[4, 3, 3, 4, 4, 3, 3])
    made.heading("Utilisation, saturation, errors")
    made.row(reading(), lag(), dropped(), height=8)
    made.row(latency(), waiting(), errors(), height=8)
    made.row(agents(), collectors(), height=8, widths=[14, 10])
    made.details("Logs", [lines(), unrecognised(), lag_bytes()], [files(), rotation(), lost()])
    made.details(
        "Events and delivery", [events(), requests(), export_failures()], [spool(), spool_errors(), overflows()]
    )
    made.details("Configuration, state, sources", [reloads(), since_reload(), state()], [folders(), versions()])
    return made


def numbers():
    yield alerts_firing()
    yield parts.stat(
        "Agents", "Agents that answer.", "count(gobeacon_build_info{NODE})", "short", base=GREEN, noValue="none"
    )
    yield parts.stat(
        "Do not answer",
        "Targets that were agents within a day and cannot be scraped now.",
        "count(max by (cluster, job, instance) (max_over_time(up{NODE}[2m])) == 0 and on (cluster, job, instance) last_over_time(gobeacon_build_info[1d])) or vector(0)",
        "short",
        thresholds=ANY_WARNING,
        paint="background",
    )
    yield parts.stat(
        "Worst lag of a log",
        "How long bytes have been in a log without being read, where that is longest.",
        "max(gobeacon_log_worst_lag_seconds{NODE})",
        "s",
        thresholds=LAG,
        alerts=["GobeaconLagging"],
    )
    yield parts.stat(
        "Oldest not delivered",
        "How long the oldest spans or log events have waited for the backend.",
        "max(gobeacon_spool_oldest_seconds{NODE})",
        "s",
        thresholds=UNDELIVERED,
        alerts=["GobeaconNotDelivering"],
    )
    yield parts.stat(
        "Lost",
        "Spans, log events and lines that were lost in the time shown. 0 in normal work.",
        f"round({in_range('gobeacon_dropped_total')})",
        "short",
        thresholds=ANY_WARNING,
        alerts=["GobeaconDropping"],
    )
    yield parts.stat(
        "Collectors that fail",
        "Collectors that stopped or crash again and again.",
        f"count(gobeacon_collector_up{{{FAULTS}}} == 0) or vector(0)",
        "short",
        thresholds=ANY_WARNING,
        paint="background",
    )


def reading():
    return parts.timeseries(
        "Utilisation: bytes of logs",
        "Bytes read from logs, by node.",
        [parts.target(per_second("gobeacon_log_bytes_total", "instance"), "{{instance}}")],
        "Bps",
    )


def lag():
    return parts.timeseries(
        "Saturation: worst lag of a log",
        "How long bytes have been in a log without being read, by node.",
        [parts.target("max by (instance) (gobeacon_log_worst_lag_seconds{NODE})", "{{instance}}")],
        "s",
        thresholds=LAG,
        threshold_lines=True,
        alerts=["GobeaconLagging"],
    )


def dropped():
    return parts.timeseries(
        "Errors: lost",
        "Within 15 minutes, by what was lost and why. 0 in normal work.",
        [
            parts.target(
                "sum by (what, reason) (increase(gobeacon_dropped_total{NODE}[15m])) > 0", "{{what}}, {{reason}}"
            )
        ],
        "short",
        thresholds=ANY_WARNING,
        threshold_lines=True,
        alerts=["GobeaconDropping"],
    )


def latency():
    return parts.timeseries(
        "From a line to its count",
        "Time from reading an event to counting it.",
        [
            parts.target(p(quantile, "gobeacon_event_latency_seconds"), name)
            for quantile, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
        ],
        "s",
        interval="5m",
        overrides=[colored("p50", "light-blue"), colored("p95", BLUE), colored("p99", "purple")],
    )


def waiting():
    return parts.timeseries(
        "Saturation: oldest not delivered",
        "By what is exported.",
        [parts.target("max by (exporter) (gobeacon_spool_oldest_seconds{NODE})", "{{exporter}}")],
        "s",
        thresholds=UNDELIVERED,
        threshold_lines=True,
        alerts=["GobeaconNotDelivering"],
    )


def errors():
    return parts.timeseries(
        "Errors of collectors per hour",
        "Errors of the operating system that a collector met: permissions, limits, files that went away.",
        [parts.target(per_hour("gobeacon_collector_errors_total", "collector") + " > 0", "{{collector}}")],
        "short",
        bars=True,
    )


def agents():
    return parts.table(
        "Every agent",
        "Each name leads to that node alone.",
        [
            ("max by (instance, version) (gobeacon_build_info{NODE})", "Up", "short", None),
            ("sum by (instance) (gobeacon_log_files{NODE})", "Logs", "short", None),
            ("max by (instance) (gobeacon_log_worst_lag_seconds{NODE})", "Lag", "s", LAG),
            ("max by (instance) (gobeacon_spool_oldest_seconds{NODE})", "Not delivered", "s", UNDELIVERED),
            (f"round({in_range('gobeacon_dropped_total', 'instance')})", "Lost", "short", ANY_WARNING),
            ("min by (instance) (gobeacon_config_last_reload_successful{NODE})", "Config holds", "bool_yes_no", None),
        ],
        names={"instance": "Node", "version": "Version"},
        hidden=["Value #A"],
        sort="Lost",
        order=["instance", "version", "Value #B", "Value #C", "Value #D", "Value #E", "Value #F"],
        alerts=["GobeaconLagging", "GobeaconNotDelivering", "GobeaconDropping"],
        cell_links={"Node": [parts.drill("This node", "agent", instance="${__value.raw}")]},
    )


def collectors():
    return parts.bar_gauge(
        "Collectors by what they do",
        "How many agents have a collector that is running or polling, and why the others have not.",
        "count by (collector, reason) (gobeacon_collector_up{NODE})",
        "{{collector}}: {{reason}}",
        "short",
        decimals=0,
        fixed=GREEN,
    )


def lines():
    return parts.timeseries(
        "Lines",
        "Complete lines read from logs a second, by node.",
        [parts.target(per_second("gobeacon_log_lines_total", "instance"), "{{instance}}")],
        "short",
    )


def unrecognised():
    return parts.timeseries(
        "Lines that mean nothing",
        "Share of the lines that are no output of go: other programs write to the same logs. Near 100 %: these are no logs of builds.",
        [
            parts.target(
                share(
                    per_second("gobeacon_log_lines_unrecognised_total", "instance"),
                    per_second("gobeacon_log_lines_total", "instance"),
                ),
                "{{instance}}",
            )
        ],
        "percentunit",
        max=1,
    )


def lag_bytes():
    return parts.timeseries(
        "Bytes not read yet",
        "In all followed logs, and in the log that has most of them.",
        [
            parts.target("sum(gobeacon_log_lag_bytes{NODE})", "all logs"),
            parts.target("max(gobeacon_log_worst_lag_bytes{NODE})", "worst log"),
        ],
        "bytes",
    )


def files():
    return parts.timeseries(
        "Logs that are followed",
        "How many there are on each node.",
        [parts.target("sum by (instance) (gobeacon_log_files{NODE})", "{{instance}}")],
        "short",
    )


def rotation():
    return parts.timeseries(
        "Logs that changed behind us, per hour",
        "Truncated: shorter than what had been read, and read again from the start. Compressed: found by a pattern and not read, they were logs before.",
        [
            parts.target(per_hour("gobeacon_log_truncations_total"), "truncated"),
            parts.target(per_hour("gobeacon_log_compressed_files_total"), "compressed"),
        ],
        "short",
    )


def lost():
    return parts.timeseries(
        "Bytes lost with their log, per hour",
        "What went away with its log before it was read, as far as that can be told.",
        [parts.target(per_hour("gobeacon_log_lost_bytes_total", "instance"), "{{instance}}")],
        "bytes",
    )


def events():
    return parts.timeseries(
        "Events per hour",
        "What was found in logs, by kind.",
        [parts.target(per_hour("gobeacon_events_total", "kind") + " > 0", "{{kind}}")],
        "short",
        bars=True,
    )


def requests():
    return parts.timeseries(
        "Requests to the backend per hour",
        "Answered or given up; each attempt counts.",
        [parts.target(per_hour("gobeacon_export_requests_total", "exporter"), "{{exporter}}")],
        "short",
        bars=True,
    )


def export_failures():
    return parts.timeseries(
        "Requests that failed, per hour",
        "And those of which the backend took only a part; what failed is sent again.",
        [
            parts.target(
                per_hour("gobeacon_export_failures_total", "exporter, reason") + " > 0", "{{exporter}}, {{reason}}"
            )
        ],
        "short",
        bars=True,
    )


def spool():
    return parts.timeseries(
        "Kept for the backend",
        "Bytes of the files that keep what is not delivered yet.",
        [parts.target("sum by (exporter) (gobeacon_spool_bytes{NODE})", "{{exporter}}")],
        "bytes",
    )


def spool_errors():
    return parts.timeseries(
        "Writes that failed, per hour",
        "To the spool and to the state; each is tried again.",
        [
            parts.target(per_hour("gobeacon_spool_errors_total", "exporter"), "spool of {{exporter}}"),
            parts.target(per_hour("gobeacon_state_errors_total"), "state"),
        ],
        "short",
    )


def overflows():
    return parts.timeseries(
        "Overflows of kernel queues, per hour",
        "Each is answered by a search of the folders.",
        [parts.target(per_hour("gobeacon_kernel_queue_overflows_total", "queue"), "{{queue}}")],
        "short",
    )


def reloads():
    return parts.timeseries(
        "Configuration read again, per hour",
        "Because it changed or by SIGHUP; one with mistakes changes nothing.",
        [
            parts.target(per_hour("gobeacon_config_reloads_total"), "read again"),
            parts.target(per_hour("gobeacon_config_reload_failures_total"), "with mistakes"),
        ],
        "short",
        overrides=[colored("with mistakes", RED)],
    )


def since_reload():
    return parts.timeseries(
        "Age of the configuration that runs",
        "Since it was read, by node.",
        [
            parts.target(
                "time() - max by (instance) (gobeacon_config_last_reload_success_timestamp_seconds{NODE})",
                "{{instance}}",
            )
        ],
        "s",
    )


def state():
    return parts.timeseries(
        "Size of the journal",
        "What is remembered over restarts.",
        [parts.target("sum by (instance) (gobeacon_state_bytes{NODE})", "{{instance}}")],
        "bytes",
    )


def folders():
    return parts.timeseries(
        "Folders of Go's own counters",
        "counting: Go 1.23 or newer writes into them. off: somebody switched it off with go telemetry off.",
        [parts.target("sum by (state) (gobeacon_telemetry_folders{NODE})", "{{state}}")],
        "short",
    )


def versions():
    return parts.timeseries(
        "Versions of gobeacon",
        "Agents by version.",
        [parts.target("count by (version) (gobeacon_build_info{NODE})", "{{version}}")],
        "short",
        bars=True,
    )
