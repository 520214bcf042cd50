"""What `inv verify` runs against the live machines, with expectations of its own.

Of provision it imports the topology alone, never a role or a template: a check that is made of what
it checks agrees with every bug.
"""
