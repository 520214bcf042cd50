"""The database agent: knows this server's part in replication, and changes who is primary."""
