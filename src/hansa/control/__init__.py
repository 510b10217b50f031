"""From the binding on, in pipeline order: place, render, execute, observe, aggregate; and the members themselves."""
