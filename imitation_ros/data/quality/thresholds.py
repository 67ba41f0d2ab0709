"""What is usual in a recording, and from where on something is said; each with its reason.

Shares are of an episode's ticks unless a comment says otherwise.
"""

from __future__ import annotations

STALE_NOTE = 0.0  # any stale tick is worth knowing: training leaves it out
STALE_WARNING = 0.01  # the sampler waits for late messages, so a sound link loses less than one tick in a hundred
STALE_ERROR = 0.2  # a fifth of the steps is missing, and those around them no longer follow one another
GAP_PERIODS = 3.0  # of the usual interval or of the tick, whichever is longer: two messages in a row are missing
SLOW_TOPIC = 0.5  # of the ticks see the value of the tick before: the topic has less than half of the ticks' rate
SKEW_S = 0.005  # a value cannot arrive before it was stamped; synchronised clocks (chrony) agree to a millisecond
DELAY_SHARE = 0.5  # of max_age_s: a message that takes so long is stale at the next hiccup
RATE_TOLERANCE = 0.02  # of the spec's rate: more, and every speed that is learned is wrong by as much
JITTER_TOLERANCE = 0.1  # of the period: ticks are a grid by construction; in imported data they may not be
SILENT_WARNING = 0.25  # a joystick that is let go falls silent, but hardly for a quarter of a demonstration

IDLE_WINDOW_S = 0.5  # noise adds up to nothing over it, motion does not
IDLE_RANGE = 0.02  # of a number's range over the dataset: moving less within the window is standing still
IDLE_NOTE = 0.3
IDLE_WARNING = 0.7  # an expert that holds its goal until the time limit, as in the demo, idles half of an episode
IDLE_LONG_S = 3.0  # in all; the demo's reaching waits up to that for its time limit, a forgotten stop longer

FROZEN_S = 0.5  # a sensor that repeats itself to the last bit for so long, while it should change
THAW_STEPS = 3.0  # of the 95th percentile of the others: what was frozen leaps when it wakes, what stood still does not
SPIKE_STEPS = 10.0  # of the 95th percentile of all steps, out and back within two ticks: nothing with mass does that
SPIKE_RANGE = 0.2  # of the range over the dataset: less is noise, or a knock
ROTATION_TOLERANCE = 0.02  # of the length and the product of the two columns of rotation_6d; float32 keeps 1e-6
TURN_JUMP_RAD = 4.7  # a step of three quarters of a turn is a representation that wraps, not a motion

JERK_RATIO = 3.0  # of the dataset's median: three times as rough as the others
ROUGH = 1.5  # third differences beside steps, where nothing was disturbed; white noise has 3.2, a hand at 20 Hz below 1
SATURATED_WARNING = 0.5  # a number at an end of its scale for half of the time can say no more than yes or no
AT_END = 1e-3  # of the half span
BEYOND_END = 1e-6  # as the writer counts what it clips
CLIPPED_WARNING = 0.01  # less is a twitch; more, and policies learn another action than was shown

LAG_WINDOW_S = 1.0  # nobody teleoperates with more
LAG_WARNING_S = 0.25  # people notice 0.1 s and overshoot at 0.3 s; arms follow their commands within 0.05 to 0.2 s
LAG_CORRELATION = 0.3  # below, action and motion have too little in common to say when one follows the other
LAG_CERTAIN = 5.0  # divided by the square root of the ticks: what the highest of a hundred chance correlations reaches
OFFSET_SPAN = 0.02  # of the action's scale, in three quarters of the ticks on one side: 4 degrees of a joint
DRIFT_SPAN = 0.01  # of the action's scale, between the first and the last fifth of the episodes
DRIFT_NOISE = 4.0  # of its standard error

SHORT_STEPS = 10  # less is a slip of the finger
OUTLIER_EPISODES = 8  # with fewer, nobody can say what is usual
OUTLIER_LENGTH = 3.0  # times as long, or as short, as the median
OUTLIER_PATH = 3.0  # times as far
OUTLIER_DISTANCE = 8.0  # robust standard deviations, over the numbers of a field; a normal sample has 1
DEVIATIONS_AT_MOST = 10.0  # that one number adds: a cube that lies on its side is no other place
ROBUST_SIGMAS = 6.0  # beside the ratios above: where lengths vary a lot, a long one is usual
