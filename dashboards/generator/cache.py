"""Cache efficiency: what build and module caches save, and why they do not."""

from . import parts
from .board import Board
from .common import alerts_firing
from .parts import GREEN, ORANGE, RED, colored, in_range, p, per_hour, per_second, share, steps

LOOKUPS, HITS, PUTS = "gobuild_cache_lookups_total", "gobuild_cache_hits_total", "gobuild_cache_puts_total"
RATIO = "cluster_job_source:gobuild_cache_hits:ratio1h"
ACTIONS = "gobuild_action_duration_seconds"
DROP = steps((0.2, ORANGE))
STDLIB = steps((0.25, ORANGE))
FREE = [{"color": ORANGE, "value": None}, {"color": GREEN, "value": 5 * 1024**3}]


def board():
    made = Board("cache", "Cache efficiency", "What build and module caches save, and why they do not.")
    made.row(*numbers(), height=4, widths=[4, 4, 4, 4, 4, 4])
    made.row(ratio(), misses(), time_of_tools(), height=9)
    made.row(traffic(), free(), size(), height=8)
    made.details("What the watch of build caches saw", [restores(), trims()], [copies(), kinds()])
    made.details("Against the week", [drop(), hour(), stdlib()])
    made.details("Actions and tools", [action_times(), cpu()], [invocations(), entries(), followed()])
    return made


def numbers():
    yield alerts_firing()
    yield parts.stat(
        "Cache hits",
        "Share of the lookups of the time shown that the build cache answered, by the best source there is: Go's own counters, then action graphs, then the watch. The sources tell of the same builds.",
        " or ".join(hit_shares()),
        "percentunit",
        decimals=1,
        base="blue",
        noValue="no lookups",
    )
    yield parts.stat(
        "Below the week",
        "How far the share of hits of the last hour is below that of the last 7 days, of the source where that is worst. 0 is as always, or better.",
        "max(clamp_min(cluster_job_source:gobuild_cache_hits:ratio1h_drop_from_7d{JOB}, 0))",
        "percentunit",
        decimals=1,
        thresholds=DROP,
        alerts=["GoBuildCacheHitRatioDrop"],
    )
    yield parts.stat(
        "Standard library recompiled",
        "Share of the go commands of the last hour that did not find the standard library in their build cache, as Go's own counters tell.",
        "max(cluster_job:gobuild_stdlib_recompiled_commands:ratio1h{JOB})",
        "percentunit",
        decimals=1,
        thresholds=STDLIB,
        alerts=["GoStdlibRecompiling"],
        noValue="not known",
    )
    yield parts.stat(
        "Least free disk",
        "What the file system of a cache has left, where that is least.",
        "min(gobuild_cache_free_bytes{NODE})",
        "bytes",
        decimals=1,
        thresholds=FREE,
        alerts=["GoCacheDiskNearlyFull"],
        noValue="no caches",
    )
    yield parts.stat(
        "In caches",
        "Sum of the entries of all build and module caches.",
        "sum(gobuild_cache_size_bytes{NODE})",
        "bytes",
        decimals=1,
        noValue="no caches",
        base="blue",
    )


def hit_shares():
    """By source, best first; without the label, so that the first that there is wins."""
    for source in ("counters", "action_graph", "cacheprog"):
        only = f'source="{source}", NODE'
        yield share(in_range(HITS, matchers=only), in_range(LOOKUPS, matchers=only))
    watched = in_range(HITS, matchers='source="watch", NODE')
    yield share(watched, f"{watched} + {in_range(PUTS)}")


def ratio():
    watched = per_second(HITS, matchers='source="watch", NODE')
    return parts.timeseries(
        "Share of hits, by who tells",
        "The sources tell of the same builds: never add them up. The watch knows no lookups; what is not found is put, so it is hits of hits and puts.",
        [
            parts.target(
                share(per_second(HITS, "source"), per_second(LOOKUPS, "source")),
                "{{source}}",
            ),
            parts.target(
                share(watched, f"{watched} + {per_second(PUTS)}"),
                "watch",
            ),
        ],
        "percentunit",
        max=1,
        interval="5m",
    )


def misses():
    return parts.timeseries(
        "Why packages were compiled, per hour",
        "From action graphs, where go commands write them. unknown: nothing earlier to compare with.",
        [parts.target(per_hour("gobuild_cache_misses_total", "reason") + " > 0", "{{reason}}")],
        "short",
        bars=True,
        overrides=[
            colored("cold", "light-blue"),
            colored("source", GREEN),
            colored("dependency", "dark-green"),
            colored("flags", ORANGE),
            colored("environment", RED),
            colored("toolchain", "purple"),
            colored("evicted", "yellow"),
            colored("unknown", "text"),
        ],
        links=[
            parts.traces(
                '{ resource.telemetry.distro.name = "gobeacon" && span.gobuild.action.miss_reason = "${__field.labels.reason}" }'
            )
        ],
    )


def time_of_tools():
    return parts.timeseries(
        "What the misses cost: seconds of actions",
        "Seconds of actions a second, by tool, from action graphs: how many cores the misses kept busy.",
        [parts.target(per_second(f"{ACTIONS}_sum", "tool") + " > 0", "{{tool}}")],
        "none",
        bars=True,
        decimals=2,
    )


def traffic():
    return parts.timeseries(
        "Hits and puts per hour, as the kernel tells",
        "From the watch of build caches; it counts all that a go command reads, more than packages.",
        [parts.target(per_hour(HITS, matchers='source="watch", NODE'), "hits"), parts.target(per_hour(PUTS), "puts")],
        "short",
        overrides=[colored("hits", GREEN), colored("puts", ORANGE)],
    )


def free():
    return parts.timeseries(
        "Free disk",
        "What the file systems of the caches have left, the least for each node.",
        [parts.target("min by (instance, cache) (gobuild_cache_free_bytes{NODE})", "{{instance}} {{cache}}")],
        "bytes",
        thresholds=FREE,
        threshold_lines=True,
        alerts=["GoCacheDiskNearlyFull"],
    )


def size():
    return parts.timeseries(
        "Size",
        "Sum of the entries of all caches, by kind.",
        [parts.target("sum by (cache) (gobuild_cache_size_bytes{NODE})", "{{cache}}")],
        "bytes",
        bars=True,
    )


def restores():
    return parts.timeseries(
        "What restores were worth, per hour",
        "Files that a CI step or another tool brought into a build cache, and hits that found them. Many files and few hits: the restore costs more than it saves.",
        [
            parts.target(per_hour("gobuild_cache_restored_entries_total"), "files restored"),
            parts.target(per_hour("gobuild_cache_restored_hits_total"), "hits in them"),
        ],
        "short",
        overrides=[colored("files restored", "light-blue"), colored("hits in them", GREEN)],
    )


def trims():
    return parts.timeseries(
        "Trimmed, per hour",
        "Files that were removed one by one, as the go command does with what was not used for 5 days; and their bytes.",
        [
            parts.target(per_hour("gobuild_cache_trimmed_entries_total"), "files"),
            parts.target(per_hour("gobuild_cache_trimmed_bytes_total"), "bytes"),
        ],
        "short",
        overrides=[
            {
                "matcher": {"id": "byName", "options": "bytes"},
                "properties": [{"id": "unit", "value": "bytes"}, {"id": "custom.axisPlacement", "value": "right"}],
            }
        ],
    )


def copies():
    return parts.timeseries(
        "Copied, per hour",
        "Entries read by who saves the cache, which are no hits, and bytes that restores brought.",
        [
            parts.target(per_hour("gobuild_cache_copied_reads_total"), "entries read by copies"),
            parts.target(per_hour("gobuild_cache_restored_bytes_total"), "bytes restored"),
        ],
        "short",
        overrides=[
            {
                "matcher": {"id": "byName", "options": "bytes restored"},
                "properties": [{"id": "unit", "value": "bytes"}, {"id": "custom.axisPlacement", "value": "right"}],
            }
        ],
    )


def kinds():
    return parts.timeseries(
        "What is in build caches",
        "Bytes of the outputs by what they are.",
        [parts.target("sum by (kind) (gobuild_cache_kind_bytes{NODE})", "{{kind}}")],
        "bytes",
        bars=True,
    )


def drop():
    return parts.timeseries(
        "Below the week, by who tells",
        "How far the share of hits of the last hour is below that of the last 7 days.",
        [
            parts.target(
                "max by (source) (cluster_job_source:gobuild_cache_hits:ratio1h_drop_from_7d{JOB})", "{{source}}"
            ),
        ],
        "percentunit",
        thresholds=DROP,
        threshold_lines=True,
        alerts=["GoBuildCacheHitRatioDrop"],
    )


def hour():
    return parts.timeseries(
        "Share of hits of the last hour",
        "By who tells, of the job where it is least: what is compared with the week.",
        [parts.target(f"min by (source) ({RATIO}{{JOB}})", "{{source}}")],
        "percentunit",
        max=1,
    )


def stdlib():
    return parts.timeseries(
        "Standard library recompiled, and how often",
        "Share of the go commands of the last hour that did not find the standard library in their cache, and how many that were.",
        [
            parts.target("max(cluster_job:gobuild_stdlib_recompiled_commands:ratio1h{JOB})", "share"),
            parts.target(per_hour("gobuild_stdlib_recompiled_commands_total"), "per hour"),
        ],
        "percentunit",
        thresholds=STDLIB,
        threshold_lines=True,
        alerts=["GoStdlibRecompiling"],
        overrides=[
            {
                "matcher": {"id": "byName", "options": "per hour"},
                "properties": [{"id": "unit", "value": "short"}, {"id": "custom.axisPlacement", "value": "right"}],
            }
        ],
    )


def action_times():
    return parts.timeseries(
        "Duration of actions, p95",
        "Of actions that ran something, by tool, from action graphs. A point on the line is an exemplar: it leads to the trace.",
        [parts.target(p(0.95, ACTIONS, "tool, le"), "{{tool}}", exemplar=True)],
        "s",
        interval="5m",
    )


def cpu():
    return parts.timeseries(
        "CPU of tools",
        "CPU time of actions, user and system, in cores, by tool. That of tests is not known.",
        [parts.target(per_second("gobuild_tool_cpu_seconds_total", "tool"), "{{tool}}")],
        "none",
        bars=True,
        decimals=2,
    )


def invocations():
    return parts.timeseries(
        "Runs of tools, per hour",
        "As the tools count themselves, questions for their version among them.",
        [parts.target(per_hour("gobuild_tool_invocations_total", "tool") + " > 0", "{{tool}}")],
        "short",
        bars=True,
    )


def entries():
    return parts.timeseries(
        "Entries",
        "In build caches files of actions and of outputs, in module caches versions of modules and toolchains.",
        [parts.target("sum by (cache) (gobuild_cache_entries{NODE})", "{{cache}}")],
        "short",
    )


def followed():
    return parts.timeseries(
        "Caches that are followed",
        "watched: the kernel tells. polled: they are looked at, and hits are not known. unreadable: permission is missing.",
        [parts.target("sum by (cache, seen) (gobuild_caches{NODE}) > 0", "{{cache}}, {{seen}}")],
        "short",
        decimals=0,
    )
