"""What a run over much more will take and cost, from what a run over a sample took."""
