"""The pure middle: what a run is and how it changes. No I/O, no clock, no chance."""
