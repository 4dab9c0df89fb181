"""fastText classifiers: training on lines of labelled text, and a model as a folder with its card."""
