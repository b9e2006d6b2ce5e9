"""The closed loop of a referral: which states there are, how it moves, what the plan is told."""
