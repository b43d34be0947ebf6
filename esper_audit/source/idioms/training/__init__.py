"""Events of a training loop, the losses and metrics that it computes, and the objects that it handles."""
