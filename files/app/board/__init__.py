"""The message board: the sample application that the web machines run."""
