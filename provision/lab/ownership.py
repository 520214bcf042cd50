"""A lab belongs to one topology.yml: two checkouts with one lab name must not share machines."""

from pathlib import Path

from provision.errors import QuartetError


def claim(owner: Path, topology: Path, machines: Path) -> None:
    """Take the lab for this topology; raises QuartetError if another one has machines in it."""
    holder = Path(owner.read_text().strip()) if owner.exists() else topology
    is_in_use = holder.exists() and machines.is_dir() and any(machines.iterdir())
    if holder != topology and is_in_use:
        raise QuartetError(
            f"{topology}: name",
            f"this host already has a lab of that name, made from {holder}",
            "`./lab destroy` there, or give this lab another name",
        )
    owner.parent.mkdir(parents=True, exist_ok=True)
    owner.write_text(f"{topology}\n")
