"""What many waiting runs cost: a model in closed form, and a simulation of discrete events.

`python -m bench.scale` shows both; docs/concepts/scale.md explains them and keeps the results.
"""
