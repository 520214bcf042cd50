"""`inv drill`: faults under load, and an account of every write."""

from provision.drill.run import run
from provision.drill.wishes import Wish, wish

__all__ = ["Wish", "run", "wish"]
