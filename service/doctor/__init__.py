"""What is wrong with an installation, in plain words: each check reads, and concludes from what it read."""

from service.doctor._configuration import of_problems
from service.doctor._examination import examine
from service.doctor._watch import examine_by_night, examine_registration
from service.findings import Finding, State, is_well, newly_wrong

__all__ = [
    "Finding",
    "State",
    "examine",
    "examine_by_night",
    "examine_registration",
    "is_well",
    "newly_wrong",
    "of_problems",
]
