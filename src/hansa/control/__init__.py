"""From the Binding on, in the order of the pipeline. Knows no dialect."""
