"""Quartet's library: from topology.yml to four running, verified machines."""

import os

# Looking for pydantic's plugins takes as long as connecting to a machine, and there are none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
