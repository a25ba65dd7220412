"""Build health: how many go commands run, how many fail and why, how long they take."""

from . import parts
from .board import Board
from .common import ALERTS, BUDGET, INFRASTRUCTURE, alerts_firing
from .parts import ORANGE, PURPLE, RED, colored, in_range, p, per_hour, per_second, share, steps

COMMANDS, FAILURES = "gobuild_commands_total", "gobuild_command_failures_total"
DURATION = "gobuild_command_duration_seconds"
BUILT_OR_TESTED = 'subcommand=~"build|test", NODE'
AGAINST = "cluster_job_subcommand:gobuild_command_duration_seconds:p95_1h_against_7d"
RATIO = "cluster_job:gobuild_command_failures_infrastructure:ratio"


def board():
    made = Board(
        "build-health", "Build health", "Do Go builds work: how many run, how many fail and why, how long they take."
    )
    made.row(*numbers(), height=4, widths=[4, 3, 3, 4, 4, 3, 3])
    made.row(commands(), failures(), durations(), height=9)
    made.row(reasons(), firing(), nodes(), height=9)
    made.details("Error budget: failures that are not in the code", [budget(), budget_left()])
    made.details("Durations", [slow(), against_last_week()], [by_subcommand(), critical_path()])
    made.details("What was asked of the go command", [invocations(), failing_subcommands(), running()])
    return made


def numbers():
    wanted = in_range(COMMANDS)
    yield alerts_firing()
    yield parts.stat(
        "Commands per hour",
        "Go commands that ended, as logs tell: builds, tests, vets and the others.",
        per_hour(COMMANDS),
        "locale",
        spark=True,
        calc="mean",
        decimals=0,
        base="blue",
    )
    yield parts.stat(
        "Failed, all reasons",
        "Share of the go commands in the time shown that failed, for whatever reason: failing tests and code that does not compile are everyday work.",
        share(in_range(FAILURES), wanted),
        "percentunit",
        decimals=1,
        base="blue",
    )
    yield parts.stat(
        "Failed, not by the code",
        "Share of the go commands in the time shown that failed for a reason that no change of the code cures: modules, network, caches, machines. 1 % is the budget.",
        share(in_range(FAILURES, matchers=f"{INFRASTRUCTURE}, NODE"), wanted),
        "percentunit",
        decimals=2,
        thresholds=BUDGET,
        alerts=["GoBuildFailureBudgetBurn"],
        noValue="no commands",
    )
    yield parts.stat(
        "Build and test, p95",
        "95 of 100 go build and go test commands that succeeded in the time shown took at most so long.",
        p(0.95, DURATION, matchers=f'outcome="ok", {BUILT_OR_TESTED}', window="$__range"),
        "s",
        decimals=1,
        base="blue",
        noValue="not measured",
    )
    yield parts.stat(
        "p95 against the week",
        "The p95 of the last hour divided by its average over 7 days, of the slowest of go build and go test. 1 is as always.",
        f'max({AGAINST}{{subcommand=~"build|test", JOB}})',
        "suffix:x",
        decimals=1,
        thresholds=steps((2, ORANGE)),
        alerts=["GoBuildSlow"],
        noValue="not measured",
    )
    yield parts.stat(
        "Running now",
        "Go commands that began and have not ended.",
        "sum(gobuild_commands_running{NODE})",
        "short",
        base="blue",
    )


def commands():
    return parts.timeseries(
        "Rate: go commands per hour",
        "Go commands that ended, by subcommand.",
        [parts.target(per_hour(COMMANDS, "subcommand") + " > 0", "go {{subcommand}}")],
        "short",
        bars=True,
    )


def failures():
    return parts.timeseries(
        "Errors: failures per hour",
        "Go commands that failed, by the failure that explains the others. Warm colours: not in the code.",
        [parts.target(per_hour(FAILURES, "class") + " > 0", "{{class}}")],
        "short",
        bars=True,
        overrides=[
            colored("^(compile|link|cgo|vet|package)[.].*", PURPLE, True),
            colored("^test[.].*", "light-blue", True),
            colored("^(proxy|network|vcs)[.].*", ORANGE, True),
            colored("^(checksum|modcache)[.].*", RED, True),
        ],
        links=[traces_of_class()],
    )


def durations():
    ok = f'outcome="ok", {BUILT_OR_TESTED}'
    return parts.timeseries(
        "Duration: go build and go test",
        "How long commands that succeeded took. A point on the line is an exemplar: it leads to the trace of that command.",
        [
            parts.target(p(0.5, DURATION, matchers=ok), "p50"),
            parts.target(p(0.95, DURATION, matchers=ok), "p95", exemplar=True),
        ],
        "s",
        interval="5m",
        overrides=[colored("p50", "light-blue"), colored("p95", "blue")],
    )


def reasons():
    return parts.bar_gauge(
        "Why: causes of failure",
        "Distinct causes in the time shown; each counts once for each go command. The reference of failures says what each means and what to do.",
        f"topk(10, round({in_range('gobuild_failures_total', 'class')}) > 0)",
        "{{class}}",
        "short",
        fixed=ORANGE,
        decimals=0,
        noValue="no failures",
        names="top",
        links=[traces_of_class()],
    )


def firing():
    return parts.table(
        "What to do: alerts that fire",
        "Each name leads to its runbook. Empty when all is well.",
        [(f"count by (alertname, severity, instance) ({ALERTS})", "count", "short", None)],
        hidden=["Value"],
        names={"alertname": "Alert", "severity": "Severity", "instance": "Node"},
        widths={"Severity": 80, "Node": 100},
        order=["severity", "alertname", "instance"],
        noValue="none: all is well",
        cell_links={
            "Alert": [{"title": "Runbook", "url": parts.HOME + "/docs/runbooks/${__value.raw}.md", "targetBlank": True}]
        },
    )


def nodes():
    by_node = share(in_range(FAILURES, "instance", f"{INFRASTRUCTURE}, NODE"), in_range(COMMANDS, "instance"))
    return parts.table(
        "Where: nodes",
        "Each name leads to that node alone.",
        [
            (f"topk(20, {by_node})", "Not by the code", "percentunit", BUDGET),
            (f"round({in_range(FAILURES, 'instance')})", "Failed", "short", None),
            (f"round({in_range(COMMANDS, 'instance')})", "Commands", "short", None),
        ],
        names={"instance": "Node"},
        order=["instance", "Value #C", "Value #B", "Value #A"],
        sort="Not by the code",
        alerts=["GoBuildFailureBudgetBurn"],
        cell_links={"Node": [parts.drill("This node", "build-health", instance="${__value.raw}")]},
    )


def budget():
    windows = ("1h", "6h", "1d", "3d")
    return parts.timeseries(
        "Failed, not by the code, over windows",
        "The recording rules behind GoBuildFailureBudgetBurn: it fires when a long window is above its line and a short one still is.",
        [parts.target(f"max({RATIO}{window}{{JOB}})", window) for window in windows],
        "percentunit",
        thresholds=BUDGET,
        threshold_lines=True,
        alerts=["GoBuildFailureBudgetBurn"],
    )


def budget_left():
    return parts.timeseries(
        "Short windows",
        "Whether it still burns: an alert ends when its short window is below the line.",
        [parts.target(f"max({RATIO}{window}{{JOB}})", window) for window in ("5m", "30m", "2h")],
        "percentunit",
        thresholds=BUDGET,
        threshold_lines=True,
        alerts=["GoBuildFailureBudgetBurn"],
    )


def slow():
    return parts.timeseries(
        "p95 of the last hour, by subcommand",
        "Recorded each minute. GoBuildSlow asks for more than a minute as well as for twice the week.",
        [
            parts.target(
                "max by (subcommand) (cluster_job_subcommand:gobuild_command_duration_seconds:p95_1h{JOB})",
                "go {{subcommand}}",
            )
        ],
        "s",
        thresholds=steps((60, ORANGE)),
        threshold_lines=True,
        alerts=["GoBuildSlow"],
    )


def against_last_week():
    return parts.timeseries(
        "p95 against the week, by subcommand",
        "The p95 of the last hour divided by its average over 7 days.",
        [parts.target(f"max by (subcommand) ({AGAINST}{{JOB}})", "go {{subcommand}}")],
        "suffix:x",
        thresholds=steps((2, ORANGE)),
        threshold_lines=True,
        alerts=["GoBuildSlow"],
    )


def by_subcommand():
    return parts.bar_gauge(
        "p95 in the time shown",
        "All commands that were measured, those that failed too.",
        p(0.95, DURATION, "subcommand, le", window="$__range"),
        "go {{subcommand}}",
        "s",
        decimals=1,
    )


def critical_path():
    return parts.timeseries(
        "Critical path",
        "The longest chain of actions of a command, which no more cores could have saved; only where go commands write action graphs.",
        [
            parts.target(p(0.5, "gobuild_critical_path_seconds"), "p50"),
            parts.target(p(0.95, "gobuild_critical_path_seconds"), "p95", exemplar=True),
        ],
        "s",
        interval="5m",
        overrides=[colored("p50", "light-blue"), colored("p95", "blue")],
    )


def invocations():
    return parts.timeseries(
        "Go commands as they count themselves, per hour",
        "From Go's own counters, whether a log shows the command or not. Far above the rate in the logs: logs are missing.",
        [parts.target(per_hour("gobuild_subcommand_invocations_total", "subcommand") + " > 0", "go {{subcommand}}")],
        "short",
        bars=True,
    )


def failing_subcommands():
    return parts.timeseries(
        "Share that failed, by subcommand",
        "For whatever reason.",
        [
            parts.target(
                share(per_second(FAILURES, "subcommand"), per_second(COMMANDS, "subcommand")),
                "go {{subcommand}}",
            )
        ],
        "percentunit",
        max=1,
        interval="5m",
    )


def running():
    return parts.timeseries(
        "Running",
        "Go commands that began and have not ended, by node.",
        [parts.target("sum by (instance) (gobuild_commands_running{NODE})", "{{instance}}")],
        "short",
    )


def traces_of_class():
    return parts.traces(
        '{ resource.telemetry.distro.name = "gobeacon" && span.error.type = "${__field.labels.class}" }'
    )
