"""What torchrun starts: training without Beam."""
