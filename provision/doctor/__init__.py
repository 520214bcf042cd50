"""What this host lacks for a provider, said before anything is booted, with what mends it."""

from provision.doctor.examination import examine
from provision.doctor.finding import Finding, Severity, has_error
from provision.doctor.table import print_findings

__all__ = ["Finding", "Severity", "examine", "has_error", "print_findings"]
