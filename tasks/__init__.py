"""What one step does: one package per stage, and the few modules that stages share."""
