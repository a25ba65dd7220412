"""Writes the Grafana dashboards, so that all of them look and behave alike."""
