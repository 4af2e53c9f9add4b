"""What runs: one module per deployable flow, the configuration of a run, and the command line."""
