"""A check that belongs to a type, as pydantic finds it, without importing pydantic for it.

Most commands read a topology that was validated before (see loading.py), and importing pydantic
takes longer than all else that they do here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.topology.values import Check

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Checked:
    """In `Annotated`: a check of what stands in the file, before it is made that type."""

    check: Check

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        """Tell pydantic: https://docs.pydantic.dev/latest/concepts/types/#custom-types ."""
        from pydantic_core.core_schema import no_info_before_validator_function  # noqa: PLC0415

        return no_info_before_validator_function(self.check, handler(source))
