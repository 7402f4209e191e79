"""What was done, when, by whom and why, and the second copy of every memory.

Only ``jobs.ledger.ledger`` and what it is made of load SQLAlchemy: import that late.
"""
