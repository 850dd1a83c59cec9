"""What Prometheus is told: what all processes did together, as Redis has it, and what this one did."""

from service.metrics._exposition import Metrics, MetricsPort
from service.metrics._reading import Reader

__all__ = ["Metrics", "MetricsPort", "Reader"]
