"""What replication needs beyond files: who is primary, seeding, following, promotion."""
