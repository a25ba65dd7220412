"""Modules and supply chain: where modules come from, and whether they are what they should be."""

from . import parts
from .board import Board, values
from .common import ANY_CRITICAL, ANY_WARNING, MISMATCHES, SUPPLY, alerts_firing
from .parts import NODE, ORANGE, RED, colored, in_range, p, per_hour, per_second, share, since, steps

DOWNLOADS, FAILED = "gobuild_module_downloads_total", "gobuild_module_download_failures_total"
BYTES, REDUNDANT = "gobuild_module_download_bytes_total", "gobuild_module_redundant_download_bytes_total"
DURATION = "gobuild_module_download_duration_seconds"
HOST = 'host=~"$host", NODE'
SUPPLY_OF_NODE = f"{SUPPLY}, NODE"
ERRORS = steps((0.05, ORANGE))


def board():
    hosts = values("host", "Host", f"label_values({DOWNLOADS}{{{NODE}}}, host)")
    made = Board(
        "modules",
        "Modules and supply chain",
        "Where modules come from, and whether they are what they should be.",
        [hosts],
    )
    made.row(*numbers(), height=4, widths=[4, 3, 3, 3, 3, 4, 4])
    made.heading("Is it what it should be")
    made.row(mismatches(), broken(), nodes(), height=8)
    made.heading("Does it come")
    made.row(downloads(), failures(), durations(), height=8)
    made.row(fallbacks(), sumdb(), stalled(), height=7)
    made.details("Bytes, and what of them was not needed", [bytes_in(), redundant(), toolchains()])
    made.details("Verification and failures by host", [verified(), failures_by_host()])
    return made


def numbers():
    yield alerts_firing()
    yield parts.stat(
        "Mismatched modules",
        "Distinct module versions with a checksum mismatch within the last hour, on the node that has most. One is a moved tag; several at once are a proxy, a captive portal or a cache.",
        "max(gobuild_checksum_mismatched_modules{NODE})",
        "short",
        thresholds=MISMATCHES,
        alerts=["GoChecksumMismatch", "GoChecksumMismatchSpike"],
    )
    yield parts.stat(
        "Hash conflicts",
        "Module versions in caches whose hashes disagree now.",
        "sum(gobuild_module_hash_conflicts{NODE})",
        "short",
        thresholds=ANY_CRITICAL,
        alerts=["GoModuleHashConflict"],
    )
    yield parts.stat(
        "Damaged files",
        "Files in module caches that were found to be damaged in the time shown.",
        f"round({in_range('gobuild_module_corrupt_total')})",
        "short",
        thresholds=ANY_WARNING,
        alerts=["GoModuleCacheCorrupt"],
    )
    yield parts.stat(
        "Stalled now",
        "Downloads that do not grow. The go command waits for ever for a proxy that does not answer.",
        "sum(gobuild_module_downloads_stalled{NODE})",
        "short",
        thresholds=ANY_WARNING,
        alerts=["GoModuleDownloadStalled"],
    )
    yield parts.stat(
        "Downloads that failed",
        "Share of the downloads in the time shown that a proxy, the network or a version control server did not give.",
        share(f"({since(FAILED, matchers=SUPPLY_OF_NODE)} or vector(0))", in_range(DOWNLOADS)),
        "percentunit",
        decimals=1,
        thresholds=ERRORS,
        alerts=["GoProxyErrors"],
        noValue="no downloads",
    )
    yield parts.stat(
        "Downloads per hour",
        "Module versions that go commands began to download.",
        per_hour(DOWNLOADS),
        "locale",
        spark=True,
        calc="mean",
        decimals=0,
    )


def mismatches():
    return parts.timeseries(
        "Checksum mismatches",
        "Mismatches within the interval, by who says so: go.sum, the checksum database, or another hash in the caches. Each one is an incident until it is explained.",
        [
            parts.target(
                "sum by (verifier, artifact) (increase(gobuild_checksum_mismatches_total{NODE}[$__rate_interval])) > 0",
                "{{verifier}}, {{artifact}}",
            )
        ],
        "short",
        bars=True,
        decimals=0,
        thresholds=ANY_CRITICAL,
        alerts=["GoChecksumMismatch"],
        overrides=[
            colored("go_sum.*", RED, True),
            colored("sumdb.*", "dark-red", True),
            colored("cache.*", "purple", True),
        ],
        links=[parts.traces('{ resource.telemetry.distro.name = "gobeacon" && span.error.type =~ "checksum.*" }')],
    )


def broken():
    return parts.timeseries(
        "In the caches",
        "Versions whose hashes disagree, and damaged files found within the interval.",
        [
            parts.target("sum(gobuild_module_hash_conflicts{NODE})", "hash conflicts"),
            parts.target("sum(increase(gobuild_module_corrupt_total{NODE}[$__rate_interval]))", "damaged files"),
        ],
        "short",
        decimals=0,
        overrides=[colored("hash conflicts", RED), colored("damaged files", ORANGE)],
        thresholds=ANY_CRITICAL,
        alerts=["GoModuleHashConflict", "GoModuleCacheCorrupt"],
    )


def nodes():
    return parts.table(
        "Where: nodes",
        "Nodes with most mismatches first. Each name leads to that node alone.",
        [
            (
                "topk(20, max by (instance) (gobuild_checksum_mismatched_modules{NODE}))",
                "Mismatches",
                "short",
                MISMATCHES,
            ),
            ("sum by (instance) (gobuild_module_hash_conflicts{NODE})", "Conflicts", "short", ANY_CRITICAL),
            (f"round({in_range('gobuild_module_corrupt_total', 'instance')})", "Damaged", "short", ANY_WARNING),
        ],
        names={"instance": "Node"},
        order=["instance", "Value #A", "Value #B", "Value #C"],
        sort="Mismatches",
        alerts=["GoChecksumMismatch", "GoChecksumMismatchSpike", "GoModuleHashConflict", "GoModuleCacheCorrupt"],
        cell_links={"Node": [parts.drill("This node", "modules", instance="${__value.raw}")]},
    )


def downloads():
    return parts.timeseries(
        "Rate: downloads per hour",
        "By the host that was asked; unknown where the log does not say, as without -x.",
        [parts.target(per_hour(DOWNLOADS, "host", HOST) + " > 0", "{{host}}")],
        "short",
        bars=True,
        links=[this_host()],
    )


def failures():
    return parts.timeseries(
        "Errors: failed downloads per hour",
        "What a proxy, the network or a version control server did not give, by cause; each counts once for each go command. Which hosts: in the details below.",
        [parts.target(per_hour("gobuild_failures_total", "class", SUPPLY_OF_NODE) + " > 0", "{{class}}")],
        "short",
        bars=True,
        links=[
            parts.traces(
                '{ resource.telemetry.distro.name = "gobeacon" && span.error.type = "${__field.labels.class}" }'
            )
        ],
    )


def durations():
    return parts.timeseries(
        "Duration: downloads",
        "From the first request for a zip until it was verified and in its place. A point on the line is an exemplar: it leads to the trace.",
        [
            parts.target(p(0.5, DURATION, matchers=HOST), "p50"),
            parts.target(p(0.95, DURATION, matchers=HOST), "p95", exemplar=True),
        ],
        "s",
        interval="5m",
        overrides=[colored("p50", "light-blue"), colored("p95", "blue")],
    )


def fallbacks():
    return parts.timeseries(
        "Proxies that were passed over",
        "Modules within half an hour for which the next proxy was asked. proxy.not_found is how a list of proxies works; the other reasons are failures.",
        [
            parts.target(
                since("gobuild_module_proxy_fallbacks_total", "from_host, reason", window="30m") + " > 0",
                "{{from_host}}: {{reason}}",
            )
        ],
        "short",
        thresholds=steps((10, ORANGE)),
        threshold_lines=True,
        alerts=["GoProxyFallbackSpike"],
    )


def sumdb():
    return parts.timeseries(
        "Checksum database out of reach",
        "Requests within 15 minutes that failed, directly or through a proxy.",
        [parts.target("sum by (reason) (increase(gobuild_sumdb_requests_failed_total{NODE}[15m])) > 0", "{{reason}}")],
        "short",
        thresholds=steps((3, ORANGE)),
        threshold_lines=True,
        alerts=["GoSumdbUnavailable"],
    )


def stalled():
    return parts.timeseries(
        "Downloads that hang",
        "Downloads that do not grow, by node.",
        [parts.target("sum by (instance) (gobuild_module_downloads_stalled{NODE})", "{{instance}}")],
        "short",
        decimals=0,
        thresholds=ANY_WARNING,
        threshold_lines=True,
        alerts=["GoModuleDownloadStalled"],
    )


def bytes_in():
    return parts.timeseries(
        "Bytes of modules",
        "Bytes of module zips that came into watched caches, by host.",
        [parts.target(per_second(BYTES, "host", HOST), "{{host}}")],
        "Bps",
        bars=True,
    )


def redundant():
    return parts.timeseries(
        "Downloaded again",
        "Share of the bytes of 6 hours that the node had before: in another cache, or in the same one until it was cleaned.",
        [
            parts.target("max(cluster_job:gobuild_module_redundant_download_bytes:ratio6h{JOB})", "6 hours"),
            parts.target(
                share(per_second(REDUNDANT), per_second(BYTES)),
                "now",
            ),
        ],
        "percentunit",
        max=1,
        interval="5m",
        thresholds=steps((0.5, ORANGE)),
        threshold_lines=True,
        alerts=["GoRedundantDownloads"],
    )


def toolchains():
    return parts.timeseries(
        "Go toolchains downloaded per hour",
        "Each is some 70 MB: a go.mod that asks for a newer Go than the image has.",
        [parts.target(per_hour("gobuild_toolchain_downloads_total"), "toolchains")],
        "short",
        bars=True,
    )


def verified():
    return parts.timeseries(
        "Versions verified per hour",
        "Cached versions that were read and agree with all that is known of them. None for long: verification is off, or the caches are not found.",
        [parts.target(per_hour("gobuild_module_verified_total", "instance"), "{{instance}}")],
        "short",
    )


def failures_by_host():
    return parts.bar_gauge(
        "Failed downloads by host",
        "In the time shown, for any reason, mismatches among them; unknown where the message names no host.",
        f"topk(10, round({since(FAILED, 'host', HOST)}) > 0)",
        "{{host}}",
        "short",
        decimals=0,
        fixed=ORANGE,
        links=[this_host()],
    )


def this_host():
    return parts.drill("This host", "modules", host="${__field.labels.host}")
