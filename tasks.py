"""Invoke tasks."""
