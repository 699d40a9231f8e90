"""What the paper's two neighbours add to its losses: other front ends, style pooled over frequency, and rhythm.

Barry & Kim 2018 look at the sound through several time-frequency representations at once; Tomczak, Southall &
Hockman 2018 hold on to a rhythm. Both are terms of the same objective here (`neighbours.objective`), at infinite width
as well as with random filters.
"""
