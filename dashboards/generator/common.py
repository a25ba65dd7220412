"""What several dashboards say in the same words."""

from . import parts
from .parts import GREEN, ORANGE, RED, YELLOW, steps

# failures that no change of the code under build would cure; the recording rules have the same list
INFRASTRUCTURE = 'class=~"(checksum|modcache|proxy|network|vcs|env|cache|io)[.].+|gosum[.]malformed|toolchain[.](unavailable|invalid)"'
SUPPLY = 'class=~"(proxy|network|vcs)[.].+"'

# the numbers of the alerts, where their panels turn to another colour
BUDGET = steps((0.01, YELLOW), (0.03, YELLOW), (0.06, ORANGE), (0.144, RED))
ANY_CRITICAL = steps((1, RED))
ANY_WARNING = steps((1, ORANGE))
# one is an incident, several are another one
MISMATCHES = steps((1, RED), (3, "dark-red"))

ALERTS = 'ALERTS{alertstate="firing", alertname=~"Go[A-Z].+|Gobeacon.+", severity!="info", JOB}'


def alerts_firing():
    """The first number of every dashboard: whether somebody should do something."""
    return parts.stat(
        "Alerts",
        "Alerts of gobeacon that fire now; those of severity info are left out. Which ones: the table of alerts in Build health.",
        f"count({ALERTS}) or vector(0)",
        "suffix: firing",
        thresholds=ANY_CRITICAL,
        mappings=[{"type": "value", "options": {"0": {"text": "All well", "color": GREEN, "index": 0}}}],
        paint="background",
        links=[parts.drill("Build health", "build-health")],
    )
