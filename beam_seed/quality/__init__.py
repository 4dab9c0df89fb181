"""Model-made quality: scores in [0, 1] from a small scorer, the rubric that labels its training data, and the threshold on its scores."""
