"""Tests: how many run, fail and flake, how long they take, what the test cache saves."""

from . import parts
from .board import Board
from .common import alerts_firing
from .parts import GREEN, ORANGE, RED, YELLOW, colored, in_range, p, per_hour, per_second, share, steps

TESTS, FAILED, FLAKY = "gobuild_tests_total", "gobuild_test_failures_total", "gobuild_tests_flaky_total"
PACKAGES, CACHED = "gobuild_test_packages_total", "gobuild_test_packages_cached_total"
DURATION = "gobuild_test_duration_seconds"
OF_TESTS = 'class=~"test[.].+", NODE'
MANY_FLAKY = steps((5, ORANGE))


def board():
    made = Board(
        "tests", "Tests", "How many Go tests run, fail and flake, how long they take, and what the test cache saves."
    )
    made.row(*numbers(), height=4, widths=[4, 4, 3, 3, 3, 4, 3])
    made.row(rate(), failures(), durations(), height=9)
    made.row(classes(), flaky(), packages(), height=8)
    made.details("go test as a command", [commands(), command_times()], [nodes(), slowest()])
    return made


def numbers():
    yield alerts_firing()
    yield parts.stat(
        "Tests per hour",
        "Tests, subtests, examples and fuzz targets that ended.",
        per_hour(TESTS),
        "locale",
        spark=True,
        calc="mean",
        decimals=0,
    )
    yield parts.stat(
        "Tests that failed",
        "Share of the tests of the time shown.",
        share(in_range(FAILED), in_range(TESTS)),
        "percentunit",
        decimals=2,
        base="blue",
        noValue="no tests",
    )
    yield parts.stat(
        "go test that failed",
        "Share of the go test commands of the time shown, for whatever reason.",
        share(
            in_range("gobuild_command_failures_total", matchers='subcommand="test", NODE'),
            in_range("gobuild_commands_total", matchers='subcommand="test", NODE'),
        ),
        "percentunit",
        decimals=1,
        base="blue",
        noValue="no tests",
    )
    yield parts.stat(
        "Flaky in a day",
        "How often within a day a test failed and then passed in the same go command.",
        f"round(sum(increase({FLAKY}{{NODE}}[1d])))",
        "short",
        thresholds=MANY_FLAKY,
        alerts=["GoTestFlaky"],
    )
    yield parts.stat(
        "Packages from the test cache",
        "Share of the packages with tests whose result came out of the test cache.",
        share(in_range(CACHED), in_range(PACKAGES)),
        "percentunit",
        decimals=1,
        base="blue",
        noValue="no tests",
    )
    yield parts.stat(
        "One test, p95",
        "95 of 100 tests in the time shown took at most so long.",
        p(0.95, DURATION, window="$__range"),
        "s",
        decimals=2,
        base="blue",
        noValue="no tests",
    )


def rate():
    return parts.timeseries(
        "Rate: tests per hour",
        "Tests that ended, by how.",
        [
            parts.target(f"{per_hour(TESTS)} - {per_hour(FAILED)}", "passed or skipped"),
            parts.target(per_hour(FAILED), "failed"),
        ],
        "short",
        bars=True,
        overrides=[colored("passed or skipped", GREEN), colored("failed", RED)],
    )


def failures():
    return parts.timeseries(
        "Errors: share of tests that failed",
        "Of the tests that ended in the interval.",
        [
            parts.target(
                share(per_second(FAILED), per_second(TESTS)),
                "failed",
            )
        ],
        "percentunit",
        interval="5m",
        overrides=[colored("failed", RED)],
        links=[failed_tests()],
    )


def durations():
    return parts.timeseries(
        "Duration: one test",
        "As go test prints it; a test includes its subtests. A point on the line is an exemplar: it leads to the trace.",
        [
            parts.target(p(0.5, DURATION), "p50"),
            parts.target(p(0.95, DURATION), "p95", exemplar=True),
            parts.target(p(0.99, DURATION), "p99"),
        ],
        "s",
        interval="5m",
        overrides=[colored("p50", "light-blue"), colored("p95", "blue"), colored("p99", "purple")],
    )


def classes():
    return parts.bar_gauge(
        "How tests fail",
        "Distinct causes in the time shown, each once for each go command: a failed check, a panic, a timeout, a data race, an exit.",
        f"round({in_range('gobuild_failures_total', 'class', OF_TESTS)}) > 0",
        "{{class}}",
        "short",
        decimals=0,
        fixed=RED,
        noValue="no failures",
        links=[
            parts.traces(
                '{ resource.telemetry.distro.name = "gobeacon" && span.error.type = "${__field.labels.class}" }'
            )
        ],
    )


def flaky():
    return parts.timeseries(
        "Flaky tests within a day",
        "Failed and then passed in one go command, as with -count. The log event gobuild.test.flaky names each.",
        [parts.target(f"sum by (repository) (increase({FLAKY}{{NODE}}[1d]))", "repository {{repository}}")],
        "short",
        thresholds=MANY_FLAKY,
        threshold_lines=True,
        alerts=["GoTestFlaky"],
        overrides=[colored("repository.*", YELLOW, True)],
        links=[parts.traces('{ resource.telemetry.distro.name = "gobeacon" && span.gobuild.test.flaky = true }')],
    )


def packages():
    return parts.timeseries(
        "Packages per hour",
        "Packages with tests, by whether their result came out of the test cache.",
        [
            parts.target(per_hour(CACHED), "from the cache"),
            parts.target(f"{per_hour(PACKAGES)} - {per_hour(CACHED)}", "ran"),
        ],
        "short",
        bars=True,
        overrides=[colored("from the cache", GREEN), colored("ran", "blue")],
    )


def commands():
    return parts.timeseries(
        "go test commands per hour",
        "Those that ended, and those that failed.",
        [
            parts.target(per_hour("gobuild_commands_total", matchers='subcommand="test", NODE'), "all"),
            parts.target(per_hour("gobuild_command_failures_total", matchers='subcommand="test", NODE'), "failed"),
        ],
        "short",
        overrides=[colored("all", "blue"), colored("failed", RED)],
    )


def command_times():
    of_test = 'subcommand="test", NODE'
    return parts.timeseries(
        "go test commands: duration",
        "Compiling included.",
        [
            parts.target(p(0.5, "gobuild_command_duration_seconds", matchers=of_test), "p50"),
            parts.target(p(0.95, "gobuild_command_duration_seconds", matchers=of_test), "p95", exemplar=True),
        ],
        "s",
        interval="5m",
        overrides=[colored("p50", "light-blue"), colored("p95", "blue")],
    )


def nodes():
    return parts.table(
        "Where: nodes",
        "Nodes with most failed tests first. Each name leads to that node alone.",
        [
            (f"topk(20, round({in_range(FAILED, 'instance')}))", "Failed", "short", None),
            (f"round({in_range(TESTS, 'instance')})", "Tests", "short", None),
            (f"round({in_range(FLAKY, 'instance')})", "Flaky", "short", None),
        ],
        names={"instance": "Node"},
        order=["instance", "Value #B", "Value #A", "Value #C"],
        sort="Failed",
        cell_links={"Node": [parts.drill("This node", "tests", instance="${__value.raw}")]},
    )


def slowest():
    return parts.bar_gauge(
        "Tests by the seconds that they took at most",
        "Tests of the time shown, each in the row of the least time that it did not exceed.",
        f"sum by (le) (increase({DURATION}_bucket{{NODE}}[$__range]))",
        "{{le}}",
        "short",
        decimals=0,
        buckets=True,
    )


def failed_tests():
    return parts.traces('{ resource.telemetry.distro.name = "gobeacon" && span.test.case.result.status = "fail" }')
