"""Mixtures: which sources a stage of pretraining is made of, and how often each document is taken."""
