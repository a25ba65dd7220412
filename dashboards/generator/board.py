"""A whole dashboard: variables, annotations, links to the others, and panels in their places."""

from .parts import DATASOURCE, JOB, NODE

SCHEMA_VERSION = 39
COLUMNS = 24
SINCE = "now-6h"


class Board:
    """One dashboard. Rows of panels fill it from the top; a collapsed row holds what comes after it."""

    def __init__(self, name, title, description, variables=()):
        self.name, self.title, self.description = name, title, description
        self.variables = variables
        self.panels, self.y, self.next_id = [], 0, 1

    def row(self, *panels, height=8, widths=None):
        """Panels beside each other, of equal width unless told."""
        self.panels += self._placed(panels, height, widths)
        return self

    def heading(self, title):
        """A heading over the rows that follow."""
        self.panels.append(self._heading(title, False, []))
        return self

    def details(self, title, *rows, height=8):
        """A row that is opened by who wants to know more; nothing in it is asked for until then."""
        heading = self._heading(title, True, [])
        y = self.y
        for panels in rows:
            heading["panels"] += self._placed(panels, height, None)
        # what is collapsed takes no place
        self.y = y
        self.panels.append(heading)
        return self

    def json(self):
        """As Grafana imports it."""
        return {
            "uid": f"gobeacon-{self.name}",
            "title": f"Go builds / {self.title}",
            "description": self.description,
            "tags": ["gobeacon", "go"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "1m",
            "time": {"from": SINCE, "to": "now"},
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "liveNow": False,
            "weekStart": "",
            "links": [
                {
                    "type": "dashboards",
                    "title": "Go builds",
                    "tags": ["gobeacon"],
                    "asDropdown": False,
                    "includeVars": True,
                    "keepTime": True,
                    "targetBlank": False,
                    "icon": "external link",
                    "tooltip": "",
                    "url": "",
                }
            ],
            "annotations": {"list": annotations()},
            "templating": {"list": variables() + list(self.variables)},
            "panels": self.panels,
        }

    def _placed(self, panels, height, widths):
        widths = widths or [COLUMNS // len(panels)] * len(panels)
        x, placed = 0, []
        for panel, width in zip(panels, widths):
            placed.append(panel | {"id": self._id(), "gridPos": {"h": height, "w": width, "x": x, "y": self.y}})
            x += width
        assert x <= COLUMNS, f"a row of {self.name} is {x} wide"
        self.y += height
        return placed

    def _heading(self, title, collapsed, panels):
        place = {"h": 1, "w": COLUMNS, "x": 0, "y": self.y}
        self.y += 1
        return {
            "type": "row",
            "title": title,
            "id": self._id(),
            "collapsed": collapsed,
            "panels": panels,
            "gridPos": place,
        }

    def _id(self):
        self.next_id += 1
        return self.next_id - 1


def variables():
    """What to look at: a Prometheus, then a cluster, then a job, then nodes; and where the traces are."""
    return [
        source("datasource", "Prometheus", "prometheus", 0),
        # a Prometheus of one cluster often has no such label: all of it is what has none, too
        values("cluster", "Cluster", "label_values(gobeacon_build_info, cluster)", ".*"),
        values("job", "Job", 'label_values(gobeacon_build_info{cluster=~"$cluster"}, job)'),
        values("instance", "Node", f"label_values(gobeacon_build_info{{{JOB}}}, instance)"),
        # nothing is asked of it: links lead to it, and lead nowhere where there is none
        source("tempo", "Traces", "tempo", 2),
    ]


def source(name, label, kind, hide):
    """A variable that names a datasource."""
    return {
        "name": name, "label": label, "type": "datasource", "query": kind, "hide": hide, "refresh": 1, "regex": "",
        "multi": False, "includeAll": False, "options": [], "current": {}, "skipUrlSync": False,
    }  # fmt: skip


def values(name, label, query, everything=".+"):
    """A variable with the values of a label, several of which may be chosen."""
    return {
        "name": name, "label": label, "type": "query", "datasource": DATASOURCE, "definition": query,
        "query": {"query": query, "refId": "StandardVariableQuery"}, "hide": 0, "refresh": 2, "regex": "", "sort": 1,
        "multi": True, "includeAll": True, "allValue": everything, "options": [], "skipUrlSync": False,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def annotations():
    """What happened: alerts that fire, and another version of gobeacon."""
    builtin = {
        "builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True, "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
    }  # fmt: skip
    alerts = f'ALERTS{{alertstate="firing", alertname=~"Go[A-Z].+|Gobeacon.+", severity!="info", {JOB}}}'
    # a version is new where it was not a while ago
    version = (
        f"count by (version) (gobeacon_build_info{{{NODE}}}) "
        f"unless count by (version) (gobeacon_build_info{{{NODE}}} offset 10m)"
    )
    return [
        builtin,
        annotation("Alerts", alerts, "red", "{{alertname}}", "alertname,instance,severity"),
        annotation("New versions of gobeacon", version, "blue", "gobeacon {{version}}", "version"),
    ]


def annotation(name, expr, color, title, tags):
    return {
        "name": name, "datasource": DATASOURCE, "enable": True, "hide": False, "expr": expr, "iconColor": color,
        "titleFormat": title, "tagKeys": tags, "textFormat": "", "step": "1m", "useValueForTime": False,
    }  # fmt: skip
