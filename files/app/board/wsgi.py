"""The entry point that gunicorn is given: `gunicorn board.wsgi:application`."""

import os

from board.config import Settings
from board.database import Databases
from board.routes import Board
from board.topology import Topology
from board.web import Application


def create_application() -> Application:
    """Build the application from the environment; raises ConfigError with every mistake."""
    settings = Settings.from_environment(os.environ)
    topology = Topology.load(settings.topology)
    return Board(settings, topology, Databases.from_settings(settings, topology)).application()


application = create_application()
