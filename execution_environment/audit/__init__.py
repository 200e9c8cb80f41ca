"""The audit trail: who did what, in hash-chained files beside the workspaces."""
