"""How the facts of this host are gathered: nothing here judges them or changes the host."""
